/** Puts a text into single quotes for a POSIX shell. */
export function shellQuote(text: string): string {
	return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A first request with a new key, ready to paste. */
export function curlExample(origin: string, key: string, model: string): string {
	const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
	return [
		`curl ${origin}/v1/chat/completions \\`,
		`  -H ${shellQuote(`Authorization: Bearer ${key}`)} \\`,
		`  -H 'Content-Type: application/json' \\`,
		`  -d ${shellQuote(body)}`
	].join('\n');
}
