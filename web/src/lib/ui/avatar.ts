/** One or two letters that stand for a name: first and last word, or the last two characters of a Chinese name's given name. */
export function initials(name: string): string {
	const words = name.trim().split(/\s+/u).filter(Boolean);
	const first = words[0];
	if (!first) return '?';
	const letters = [...first];
	if (/\p{Script=Han}/u.test(first)) return letters.slice(-1).join('');
	const last = words.length > 1 ? words[words.length - 1] : undefined;
	return ((letters[0] ?? '') + (last ? ([...last][0] ?? '') : '')).toLocaleUpperCase();
}

/** A hue from 0 to 359 that depends only on the name. */
export function hueOf(name: string): number {
	let sum = 0;
	for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 360;
	return sum;
}
