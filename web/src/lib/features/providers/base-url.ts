/** Removes what people paste along with a base URL: blanks, a slash at the end, the path of one operation. */
export function normaliseBaseUrl(text: string): string {
	return text
		.trim()
		.replace(/\/(?:chat\/completions|completions|responses|messages|models|embeddings)\/?$/, '')
		.replace(/\/+$/, '');
}

/** Whether a text is a base URL that the server takes: http or https, without account and fragment, and without query but a version or a region. */
export function isBaseUrl(text: string): boolean {
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		return false;
	}
	const query = url.search === '' || /^\?(?:api-version|region)=[a-zA-Z0-9.-]+$/.test(url.search);
	const plain = url.username === '' && url.password === '' && query && url.hash === '';
	return (url.protocol === 'https:' || url.protocol === 'http:') && url.hostname !== '' && plain;
}
