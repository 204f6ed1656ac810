import { describe, expect, it } from 'vitest';
import { nameFault, suggestName } from './name';

describe('the name of a function', () => {
	it('is made of its title', () => {
		expect(suggestName('Hello, World')).toBe('hello-world');
		expect(suggestName('  Übersicht 2 ')).toBe('ubersicht-2');
		expect(suggestName('你好')).toBe('');
		expect(suggestName('2nd try')).toBe('nd-try');
		expect(suggestName(`${'a'.repeat(39)} b`)).toBe('a'.repeat(39));
	});

	it('is small letters, digits and hyphens within', () => {
		for (const name of ['a', 'a-b', 'a0', 'a'.repeat(40)]) expect(nameFault(name)).toBeNull();
		expect(nameFault('')).toBe('empty');
		expect(nameFault('a'.repeat(41))).toBe('long');
		for (const name of ['A', '-a', '0a', 'a-', 'a b', 'a/b', 'é']) expect(nameFault(name)).toBe('form');
	});
});
