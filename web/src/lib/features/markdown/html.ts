/** Raw HTML that Markdown may carry. It says how text is set and nothing else, so attributes are dropped, all but `open`. */
const meant = new Set(
	(
		'abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre q s samp small ' +
		'span strong sub summary sup table tbody td tfoot th thead tr u ul var'
	).split(' ')
);

const TAG = /<!--[\s\S]*?-->|<(\/?)([a-z][a-z0-9]*)((?:\s[^<>]*)?)\s*(\/?)>/gi;

const literal = (text: string) => text.replace(/</g, '&lt;').replace(/>/g, '&gt;');

/**
 * Keeps the tags that set text and turns everything else into the text it is: a model that writes `<Component>` means to show
 * it. The sanitiser on the page comes after this and trusts nothing of it; this also spares the browser from seeing handlers at all,
 * which it would report as a breach of the page's policy even where they cannot run.
 */
export function tameHtml(html: string): string {
	let tame = '';
	let from = 0;
	for (const found of html.matchAll(TAG)) {
		const [whole, closing = '', name = '', attributes = ''] = found;
		tame += literal(html.slice(from, found.index));
		from = found.index + whole.length;
		if (whole.startsWith('<!--')) continue;
		const tag = name.toLowerCase();
		if (!meant.has(tag)) tame += literal(whole);
		else if (tag === 'details' && !closing && /\sopen\b/i.test(attributes)) tame += '<details open>';
		else tame += `<${closing}${tag}>`;
	}
	return tame + literal(html.slice(from));
}
