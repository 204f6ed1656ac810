import { Marked } from 'marked';
import remend from 'remend';
import { tameHtml } from './html';
import { escapeHtml, math } from './math';

const marked = new Marked(
	{ gfm: true, async: false },
	{
		renderer: {
			html: ({ text }) => tameHtml(text),
			// The page's policy loads no picture from elsewhere, so that reading an answer tells nobody about it.
			image({ href, text }) {
				return `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`;
			}
		}
	},
	math
);

/** Markdown of one block to HTML that is not safe yet. `open`: the end is still being written. */
export function renderBlock(source: string, open: boolean, links = ''): string {
	const text = open ? remend(source, { linkMode: 'text-only', katex: true, htmlTags: true }) : source;
	const usesLinks = links !== '' && text.includes('[');
	return marked.parse(usesLinks ? `${text}\n\n${links}` : text) as string;
}
