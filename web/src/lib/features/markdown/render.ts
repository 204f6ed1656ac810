import { Marked } from 'marked';
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

/** Markdown of one block to HTML that is not safe yet. */
export function renderBlock(source: string, links = ''): string {
	const usesLinks = links !== '' && source.includes('[');
	return marked.parse(usesLinks ? `${source}\n\n${links}` : source) as string;
}
