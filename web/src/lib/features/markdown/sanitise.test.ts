// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';
import { decorate } from './decorate';
import { morph } from './morph';
import { renderBlock } from './render';
import { sanitise } from './sanitise';

function page(markdown: string): HTMLElement {
	const root = document.createElement('div');
	const fragment = sanitise(renderBlock(markdown));
	decorate(fragment);
	root.append(fragment);
	return root;
}

const attacks = [
	'<script>alert(1)</script>',
	'<img src=x onerror=alert(1)>',
	'<svg onload=alert(1)><script>alert(1)</script></svg>',
	'<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
	'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
	'<iframe srcdoc="<script>alert(1)</script>"></iframe>',
	'<iframe src="javascript:alert(1)">',
	'<object data="data:text/html,<script>alert(1)</script>"></object>',
	'<embed src="javascript:alert(1)">',
	'<a href="javascript:alert(1)">x</a>',
	'<a href="JaVaScRiPt:alert(1)">x</a>',
	'<a href=" java\nscript:alert(1)">x</a>',
	'<a href="&#106;avascript:alert(1)">x</a>',
	'<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>',
	'<a href="vbscript:msgbox(1)">x</a>',
	'[x](javascript:alert(1))',
	'[x](data:text/html,<script>alert(1)</script>)',
	'![x](javascript:alert(1))',
	'![x" onerror="alert(1)](https://e.com)',
	'[x]: javascript:alert(1)\n\n[x]',
	'<https://e.com" onmouseover="alert(1)>',
	'<form action="/api/v1/session" method="post"><input name=a><button>go</button></form>',
	'<input type="text" autofocus onfocus=alert(1)>',
	'<input type="password" name="password">',
	'<textarea autofocus onfocus=alert(1)></textarea>',
	'<select autofocus onfocus=alert(1)></select>',
	'<video><source onerror=alert(1)></video>',
	'<audio src=x onerror=alert(1)>',
	'<body onload=alert(1)>',
	'<link rel=stylesheet href="https://e.com/x.css">',
	'<style>*{display:none}</style>',
	'<meta http-equiv="refresh" content="0;url=https://e.com">',
	'<base href="https://e.com/">',
	'<div style="position:fixed;inset:0;background:url(https://e.com)">x</div>',
	'<p class="composer" id="content">x</p>',
	'<details open ontoggle=alert(1)>x</details>',
	'<template><script>alert(1)</script></template>',
	'<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
	'<div data-copy onclick=alert(1)>x</div>',
	'<a href="https://e.com" ping="https://evil.example">x</a>',
	'<a href="https://e.com" target="_self" rel="opener">x</a>',
	'<isindex type=image src=1 onerror=alert(1)>',
	'<marquee onstart=alert(1)>x</marquee>',
	'<x-custom onclick=alert(1)>x</x-custom>',
	'<table background="javascript:alert(1)"><tr><td>x</table>',
	'```js" onmouseover="alert(1)\ncode\n```',
	'```<script>alert(1)</script>\ncode\n```',
	'`<script>alert(1)</script>`',
	'$<script>alert(1)</script>$',
	'<span data-math="inline"><img src=x onerror=alert(1)></span>'
];

describe('what a model may put on the page', () => {
	for (const attack of attacks) {
		it(`is harmless: ${attack.replace(/\s+/g, ' ').slice(0, 60)}`, () => {
			const root = page(attack);
			for (const element of root.querySelectorAll('*')) {
				expect([
					'SCRIPT',
					'STYLE',
					'IFRAME',
					'OBJECT',
					'EMBED',
					'LINK',
					'META',
					'BASE',
					'IMG',
					'SVG',
					'FORM',
					'TEXTAREA',
					'SELECT',
					'VIDEO',
					'AUDIO',
					'TEMPLATE',
					'MATH'
				]).not.toContain(element.nodeName.toUpperCase());
				for (const { name, value } of element.attributes) {
					expect(name).not.toMatch(/^on|^style$|^id$|^name$|^ping$|^src|^action$|^formaction$/);
					expect(value).not.toMatch(/^\s*(?:javascript|vbscript|data):/i);
				}
				if (element.nodeName === 'INPUT') expect(element.getAttribute('type')).toBe('checkbox');
				if (element.nodeName === 'A' && element.hasAttribute('href')) {
					expect(element.getAttribute('href')).toMatch(/^(https?:\/\/|mailto:|tel:)/);
					expect(element.getAttribute('rel')).toContain('noopener');
					expect(element.getAttribute('target')).toBe('_blank');
				}
			}
		});
	}

	it('keeps what is meant', () => {
		const root = page(
			'**b** *i* ~~s~~ `c` [l](https://e.com) <kbd>Ctrl</kbd> H<sub>2</sub>O\n\n| a |\n|:-:|\n| 1 |\n\n- [x] done\n- [ ] open\n\n3. three'
		);
		for (const tag of ['strong', 'em', 'del', 'code', 'a', 'kbd', 'sub', 'table', 'ol']) {
			expect(root.querySelector(tag), tag).not.toBeNull();
		}
		expect(root.querySelectorAll('input[type="checkbox"]')).toHaveLength(2);
		expect(root.querySelector('th')?.getAttribute('align')).toBe('center');
		expect(root.querySelector('ol')?.getAttribute('start')).toBe('3');
	});

	it('gives code its language and a copy button', () => {
		const root = page('```c++\nint a;\n```');
		expect(root.querySelector('.code-head span')?.textContent).toBe('c++');
		expect(root.querySelector('button[data-copy]')).not.toBeNull();
		expect(root.querySelector('code')?.textContent).toBe('int a;\n');
	});
});

describe('changing a block while it grows', () => {
	it('keeps the elements that stay', () => {
		const root = page('One **two**');
		const paragraph = root.querySelector('p');
		const strong = root.querySelector('strong');
		morph(root, page('One **two** and three\n\nmore'));
		expect(root.querySelector('p')).toBe(paragraph);
		expect(root.querySelector('strong')).toBe(strong);
		expect(root.textContent?.replace(/\s+/g, ' ').trim()).toBe('One two and three more');
	});

	it('ends as the wanted page, whatever was there', () => {
		const pages = ['a', '# b', '- c\n- d', '```\ne\n```', '| f |\n|---|\n| g |', '> h\n\ni', '1. j\n\n   k'];
		for (const before of pages) {
			for (const after of pages) {
				const root = page(before);
				morph(root, page(after));
				expect(root.innerHTML).toBe(page(after).innerHTML);
			}
		}
	});
});
