// Passwords: how strong one looks, and new ones made in the browser.

export const SHORTEST = 10;

export type Strength = 'short' | 'weak' | 'fair' | 'strong';

const walks = ['abcdefghijklmnopqrstuvwxyz', '01234567890', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm'];
const common = [
	'password',
	'passwort',
	'letmein',
	'welcome',
	'admin',
	'iloveyou',
	'stoa',
	'changeme',
	'secret'
];

/** A rough guess in bits: repeated characters, keyboard walks, common words and what is known of the person count for little. */
function guessBits(password: string, known: string[] = []): number {
	let text = password.toLowerCase();
	let words = 0;
	const personal = known.flatMap((word) => word.toLowerCase().split(/[^\p{L}\p{N}]+/u));
	for (const word of [...common, ...personal]) {
		if (word.length < 3 || !text.includes(word)) continue;
		text = text.replaceAll(word, '');
		words++;
	}
	let counted = 0;
	let previous = '';
	for (const character of text) {
		const pair = previous + character;
		const predictable =
			character === previous ||
			(previous !== '' &&
				walks.some((walk) => walk.includes(pair) || [...walk].reverse().join('').includes(pair)));
		counted += predictable ? 0.25 : 1;
		previous = character;
	}
	const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].map((kind) => kind.test(password));
	const alphabet = [26, 26, 10, 33].reduce((sum, size, index) => sum + (kinds[index] ? size : 0), 0);
	return counted * Math.log2(Math.max(alphabet, 2)) + words * 8;
}

export function strength(password: string, known: string[] = []): Strength {
	if ([...password].length < SHORTEST) return 'short';
	const bits = guessBits(password, known);
	return bits < 45 ? 'weak' : bits < 70 ? 'fair' : 'strong';
}

// No look-alikes (0/O, 1/l/I): an initial password is often read aloud or copied from paper.
const alphabet = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** A random password in four groups of five, about 116 bits. */
export function generatePassword(
	random: (bytes: Uint8Array) => Uint8Array = crypto.getRandomValues.bind(crypto)
): string {
	// Bytes past the last whole multiple are thrown away, so that every letter is equally likely.
	const fair = 256 - (256 % alphabet.length);
	let letters = '';
	while (letters.length < 20) {
		for (const byte of random(new Uint8Array(32))) {
			if (byte < fair && letters.length < 20) letters += alphabet[byte % alphabet.length];
		}
	}
	return letters.replace(/(.{5})(?=.)/g, '$1-');
}
