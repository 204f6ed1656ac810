// A command as one line: words apart by blanks, quotes around those that have blanks. No shell ever sees it.

/** The words of a line, or null where a quote is not closed. */
export function wordsOf(line: string): string[] | null {
	const words: string[] = [];
	let word: string | null = null;
	let quote = '';
	for (let at = 0; at < line.length; at++) {
		const sign = line.charAt(at);
		if (quote) {
			if (sign === quote) quote = '';
			else if (sign === '\\' && quote === '"' && /["\\]/.test(line.charAt(at + 1))) word += line.charAt(++at);
			else word += sign;
		} else if (sign === '"' || sign === "'") {
			quote = sign;
			word ??= '';
		} else if (sign === '\\' && at + 1 < line.length) {
			word = (word ?? '') + line.charAt(++at);
		} else if (/\s/.test(sign)) {
			if (word !== null) words.push(word);
			word = null;
		} else {
			word = (word ?? '') + sign;
		}
	}
	if (quote) return null;
	if (word !== null) words.push(word);
	return words;
}

const plain = /^[\w@%+=:,./-]+$/;

export const lineOf = (words: readonly string[]): string =>
	words.map((word) => (plain.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`)).join(' ');
