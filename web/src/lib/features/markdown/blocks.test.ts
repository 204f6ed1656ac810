import { describe, expect, it } from 'vitest';
import { BlockSplitter, splitBlocks } from './blocks';
import { mend } from './mend';
import { renderBlock } from './render';

const samples: Record<string, string> = {
	paragraphs: 'One\nstill one.\n\nTwo.\n\n\nThree.\n',
	headings: '# A\ntext\n## B\nmore\n\n### C\n\nend',
	list: '1. one\n\n   still one\n\n2. two\n   - nested\n\n   - more\n\n3. three\n\nAfter the list.\n\n* other',
	tightList: '- a\n- b\n  c\n- d\n\nText',
	code: 'Before\n```js\nconst a = 1;\n\n# not a heading\n- not a list\n```\nAfter\n\n~~~~\n```\n~~~~\nEnd',
	codeInList: '- item\n\n  ```sh\n  ls\n\n  pwd\n  ```\n\n- next\n\nDone',
	table: 'Text\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nAfter',
	math: 'See\n\n$$\na + b\n= c\n$$\n\nand \\[ x \\]\n\n\\[\ny\n\\]\n\nend',
	quote: '> a\n> b\n\n> c\n\ntext',
	details: '<details>\n<summary>More</summary>\n\nInside **bold**.\n\n</details>\n\nAfter',
	indented: 'Text:\n\n    code\n\n    more code\n\nText',
	crlf: 'One\r\n\r\n```\r\na\r\n\r\nb\r\n```\r\n\r\nTwo\r\n',
	openFence: 'Text\n\n```python\nprint(1)\n\nprint(2)',
	chinese: '网关有三处变化：\n\n1. 限流\n2. 心跳\n\n结束。'
};

const normal = (html: string) => html.replace(/\s+/g, ' ').replace(/> </g, '><').trim();

describe('cutting Markdown into blocks', () => {
	for (const [name, text] of Object.entries(samples)) {
		it(`${name}: the pieces joined are the text, and parsed alone they give the same page`, () => {
			const blocks = splitBlocks(text);
			expect(blocks.join('')).toBe(text);
			const apart = blocks.map((block) => renderBlock(block)).join('\n');
			expect(normal(apart)).toBe(normal(renderBlock(text)));
		});

		it(`${name}: growing letter by letter ends as cutting the whole`, () => {
			const splitter = new BlockSplitter();
			for (let end = 1; end <= text.length; end++) {
				const part = text.slice(0, end);
				expect(splitter.update(part), `after ${end} letters`).toEqual(splitBlocks(part));
			}
		});
	}

	it('cuts what it should', () => {
		expect(splitBlocks(samples.code ?? '')).toHaveLength(5);
		expect(splitBlocks(samples.codeInList ?? '')).toHaveLength(2);
		expect(splitBlocks(samples.list ?? '')).toHaveLength(3);
		expect(splitBlocks(samples.details ?? '')).toHaveLength(2);
		expect(splitBlocks('')).toEqual([]);
	});

	it('keeps what is finished while the end grows', () => {
		const splitter = new BlockSplitter();
		const before = splitter.update('One\n\nTwo\n\nThree\n\nFo');
		const after = splitter.update('One\n\nTwo\n\nThree\n\nFour');
		expect(after.slice(0, 3)).toEqual(before.slice(0, 3));
	});

	it('starts over when the text is another, as after a rewind', () => {
		const splitter = new BlockSplitter();
		splitter.update('One\n\nTwo\n\nThree\n\nFour');
		expect(splitter.update('One\n\nTw')).toEqual(['One\n\n', 'Tw']);
	});
});

describe('half-typed Markdown', () => {
	it('is closed while it grows', () => {
		expect(renderBlock(mend('This is **bol'))).toContain('<strong>bol</strong>');
		expect(renderBlock(mend('and `code'))).toContain('<code>code</code>');
		expect(renderBlock(mend('a [link](https://exa'))).not.toContain('exa');
		expect(renderBlock(mend('```js\nlet a'))).toContain('<code class="language-js">let a');
	});

	it('is left as it is when the answer has ended', () => {
		expect(renderBlock('This is **bol')).toContain('**bol');
	});
});

describe('mathematics', () => {
	it('is found between dollars and brackets', () => {
		expect(renderBlock('$a+b$')).toContain('<span data-math="inline">a+b</span>');
		expect(renderBlock('\\(a<b\\)')).toContain('<span data-math="inline">a&#60;b</span>');
		expect(renderBlock('$$\na\n$$')).toContain('<div data-math="display">a</div>');
		expect(renderBlock('\\[\na\n\\]')).toContain('<div data-math="display">a</div>');
	});

	it('leaves prices and code alone', () => {
		expect(renderBlock('It costs $5 or $10.')).not.toContain('data-math');
		expect(renderBlock('`$a$` and \\$a$')).not.toContain('data-math');
	});
});

describe('images', () => {
	it('become links, because nothing is loaded from elsewhere', () => {
		const html = renderBlock('![A cat](https://example.com/cat.png)');
		expect(html).toContain('<a href="https://example.com/cat.png">A cat</a>');
		expect(html).not.toContain('<img');
	});
});

describe('raw HTML', () => {
	it('that sets text is kept, without attributes', () => {
		expect(renderBlock('H<sub class="x">2</sub>O<br/>')).toContain('H<sub>2</sub>O<br>');
		expect(renderBlock('<details open onclick="x()">\n<summary>S</summary>\n\nText\n\n</details>')).toContain(
			'<details open>\n<summary>S</summary>'
		);
	});

	it('of any other kind is shown as what it is', () => {
		expect(renderBlock('Use `x` in <Component prop="1"> here')).toContain('&lt;Component prop="1"&gt;');
		expect(renderBlock('<img src=x onerror="alert(1)">')).toContain('&lt;img src=x onerror="alert(1)"&gt;');
		expect(renderBlock('<script>alert(1)</script>')).not.toContain('<script');
		expect(renderBlock('<b <img src=x onerror=alert(1)>')).not.toContain('<img');
		expect(renderBlock('a <!-- hidden --> b')).not.toContain('hidden');
	});
});
