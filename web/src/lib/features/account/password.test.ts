import { describe, expect, it } from 'vitest';
import { generatePassword, strength } from './password';

describe('strength of a password', () => {
	it('refuses fewer than ten characters, counted as people count them', () => {
		expect(strength('Xk3!vQ9$z')).toBe('short');
		expect(strength('😀😀😀😀😀')).toBe('short');
	});

	it('is not fooled by length alone', () => {
		expect(strength('aaaaaaaaaaaaaaaa')).toBe('weak');
		expect(strength('qwertyuiop123')).toBe('weak');
		expect(strength('Password1234')).toBe('weak');
	});

	it('gives little for the own name or address', () => {
		expect(strength('lovelace-ada', ['Ada Lovelace'])).toBe('weak');
		expect(strength('ownerexample1', ['owner@example.com'])).toBe('weak');
	});

	it('likes several words and random letters', () => {
		expect(strength('correct horse battery staple')).toBe('strong');
		expect(strength('kV7p-qw2Zr-9mTx')).toBe('strong');
	});
});

describe('a new password', () => {
	it('has four groups of five letters and digits that cannot be mistaken', () => {
		expect(generatePassword()).toMatch(/^([a-km-np-zA-HJ-NP-Z2-9]{5}-){3}[a-km-np-zA-HJ-NP-Z2-9]{5}$/);
		expect(strength(generatePassword())).toBe('strong');
	});

	it('is never the same', () => {
		expect(new Set(Array.from({ length: 100 }, () => generatePassword())).size).toBe(100);
	});

	it('throws away bytes that would favour some letters', () => {
		let round = 0;
		const password = generatePassword((bytes) => bytes.fill(round++ === 0 ? 255 : 1));
		expect(password).toBe('bbbbb-bbbbb-bbbbb-bbbbb');
		expect(round).toBe(2);
	});
});
