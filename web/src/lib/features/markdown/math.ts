import type { MarkedExtension, Tokens } from 'marked';

interface MathToken extends Tokens.Generic {
	text: string;
	display: boolean;
}

export function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function renderer(token: Tokens.Generic): string {
	const { text, display } = token as MathToken;
	// The formula itself is drawn on the page, after the sanitiser, by KaTeX, which is loaded when the first one is seen.
	const tag = display ? 'div' : 'span';
	return `<${tag} data-math="${display ? 'display' : 'inline'}">${escapeHtml(text)}</${tag}>`;
}

const BLOCK = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;
const INLINE_DISPLAY = /^(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])/;
// As Pandoc reads dollars: no space inside them, no digit after them, so that prices stay prices.
const INLINE = /^(?:\$(?!\s)((?:\\[^\n]|[^$\\\n])+?)(?<!\s)\$(?![\d$])|\\\(([\s\S]+?)\\\))/;

/** TeX between dollars or `\( \)` and `\[ \]`, as models write it. */
export const math: MarkedExtension = {
	extensions: [
		{
			name: 'math-block',
			level: 'block',
			start: (source) => source.match(/^ {0,3}(?:\$\$|\\\[)/m)?.index,
			tokenizer(source): MathToken | undefined {
				const found = BLOCK.exec(source);
				const text = (found?.[1] ?? found?.[2])?.trim();
				return found && text ? { type: 'math-block', raw: found[0], text, display: true } : undefined;
			},
			renderer
		},
		{
			name: 'math-inline',
			level: 'inline',
			start: (source) => source.match(/\$|\\[([]/)?.index,
			tokenizer(source): MathToken | undefined {
				const display = INLINE_DISPLAY.exec(source);
				const found = display ?? INLINE.exec(source);
				const text = (found?.[1] ?? found?.[2])?.trim();
				return found && text
					? { type: 'math-inline', raw: found[0], text, display: display !== null }
					: undefined;
			},
			renderer
		}
	]
};
