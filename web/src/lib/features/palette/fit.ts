// How well what is typed fits the name of a command.

const plain = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();

/** All letters of the word in their order within one word of the name, beginning where it begins: `cnv` is in *conversation*. */
function within(word: string, part: string): boolean {
	if (word.length < 3 || word[0] !== part[0]) return false;
	let at = 0;
	for (const letter of word) {
		at = part.indexOf(letter, at) + 1;
		if (at === 0) return false;
	}
	return true;
}

function fitOf(word: string, name: string, parts: string[], also: string[]): number {
	if (name.startsWith(word)) return 4;
	if (parts.some((part) => part.startsWith(word))) return 3;
	if (also.some((other) => other.startsWith(word))) return 2;
	if (name.includes(word)) return 2;
	if (
		word.length > 1 &&
		parts
			.map(([first]) => first)
			.join('')
			.startsWith(word)
	)
		return 2;
	return parts.some((part) => within(word, part)) ? 1 : 0;
}

/** From 0, not at all, to 4. Each word that is typed has to fit: the name, one of its words, or another name of the same. */
export function fit(typed: string, name: string, also = ''): number {
	const words = plain(typed).split(/\s+/).filter(Boolean);
	const whole = plain(name);
	const parts = whole.split(/[\s:·/-]+/).filter(Boolean);
	const others = plain(also).split(/\s+/).filter(Boolean);
	const fits = words.map((word) => fitOf(word, whole, parts, others));
	return fits.length === 0 || fits.includes(0) ? 0 : fits.reduce((sum, one) => sum + one, 0) / fits.length;
}
