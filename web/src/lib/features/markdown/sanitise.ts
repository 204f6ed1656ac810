import DOMPurify from 'dompurify';

const tags =
	'a abbr b blockquote br caption code col colgroup dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i input ins kbd li mark ' +
	'ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var';
const attributes = 'href title start align colspan rowspan scope type checked disabled open class data-math';

const purify = DOMPurify(window);

/** Links lead to the web, to a mailbox or to a telephone; a path would lead into this application. */
const ADDRESS = /^(?:https?:\/\/|mailto:|tel:)/i;

// A class says the language of a code block and nothing else, so that an answer cannot dress up as the interface.
purify.addHook('uponSanitizeAttribute', (node, data) => {
	if (data.attrName === 'class') {
		data.keepAttr = node.nodeName === 'CODE' && /^language-[\w+#.-]{1,40}$/.test(data.attrValue);
	} else if (data.attrName === 'href') {
		data.keepAttr = ADDRESS.test(data.attrValue.trim());
	}
});

purify.addHook('afterSanitizeAttributes', (node) => {
	if (node.nodeName === 'A') {
		node.setAttribute('target', '_blank');
		node.setAttribute('rel', 'noopener noreferrer nofollow');
	}
	if (node.nodeName === 'INPUT') {
		if (node.getAttribute('type') !== 'checkbox') node.remove();
		else node.setAttribute('disabled', '');
	}
});

/** The last step of all Markdown: what the model wrote as a piece of the page that can do nothing but be read. */
export function sanitise(html: string): DocumentFragment {
	return purify.sanitize(html, {
		RETURN_DOM_FRAGMENT: true,
		ALLOWED_TAGS: tags.split(' '),
		ALLOWED_ATTR: attributes.split(' '),
		ALLOW_DATA_ATTR: false,
		ALLOW_ARIA_ATTR: false,
		FORBID_CONTENTS: [
			'script',
			'style',
			'template',
			'noscript',
			'iframe',
			'object',
			'svg',
			'math',
			'textarea',
			'select'
		]
	});
}
