import { expect, it } from 'vitest';
import { hueOf, initials } from './avatar';

it('takes the first letters of the first and the last word', () => {
	expect(initials('Ada Lovelace')).toBe('AL');
	expect(initials('owner')).toBe('O');
	expect(initials('  Jean-Luc  de la  Tour ')).toBe('JT');
});

it('takes one character of a Chinese name and something for nothing', () => {
	expect(initials('王小明')).toBe('明');
	expect(initials('   ')).toBe('?');
});

it('gives the same name the same colour', () => {
	expect(hueOf('Ada')).toBe(hueOf('Ada'));
	expect(hueOf('王小明')).toBeLessThan(360);
});
