import { describe, expect, it } from 'vitest';
import { askedFor } from './asked';

describe('what the field is asked for', () => {
	it('is a prompt only where the text begins with a slash', () => {
		expect(askedFor('/let', 4)).toEqual({ sign: '/', word: 'let', from: 0 });
		expect(askedFor('/long letter', 12)?.word).toBe('long letter');
		expect(askedFor('and/or', 6)).toBeNull();
		expect(askedFor('/usr/bin', 8)).toBeNull();
		expect(askedFor('/a\nb', 4)).toBeNull();
	});

	it('is a model where a word begins with an at sign, in front of the caret', () => {
		expect(askedFor('Ask @gpt about it', 8)).toEqual({ sign: '@', word: 'gpt', from: 4 });
		expect(askedFor('@', 1)).toEqual({ sign: '@', word: '', from: 0 });
		expect(askedFor('me@example.com', 14)).toBeNull();
		expect(askedFor('Ask @gpt about it', 14)).toBeNull();
	});
});
