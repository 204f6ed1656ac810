/** Removes what people paste along with a base URL: blanks, a slash at the end, the path of one operation. */
export function normaliseBaseUrl(text: string): string {
	return text
		.trim()
		.replace(/\/(?:chat\/completions|completions|responses|messages|models|embeddings)\/?$/, '')
		.replace(/\/+$/, '');
}

/** Whether a text is a base URL that the server takes: http or https, without account and fragment, and without query but a version. */
export function isBaseUrl(text: string): boolean {
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		return false;
	}
	const version = url.search === '' || /^\?api-version=[\w.-]+$/.test(url.search);
	const plain = url.username === '' && url.password === '' && version && url.hash === '';
	return (url.protocol === 'https:' || url.protocol === 'http:') && url.hostname !== '' && plain;
}
