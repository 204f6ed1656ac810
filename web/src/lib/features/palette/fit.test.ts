import { describe, expect, it } from 'vitest';
import { fit } from './fit';

describe('what is typed fits a command', () => {
	it('by the beginning of its name before that of a word in it, and that before letters within one', () => {
		const fits = ['new', 'conv', 'cnvn', 'onv'].map((typed) => fit(typed, 'New conversation'));
		expect(fits).toEqual([4, 3, 1, 2]);
	});

	it('by the first letters of its words, and by its other names', () => {
		expect(fit('nc', 'New conversation')).toBe(2);
		expect(fit('night', 'Theme: dark', 'night black')).toBe(2);
		expect(fit('深', '外观：深色')).toBe(3);
	});

	it('only if every word does', () => {
		expect(fit('new moon', 'New conversation')).toBe(0);
		expect(fit('conversation new', 'New conversation')).toBe(3.5);
		expect(fit('', 'New conversation')).toBe(0);
		expect(fit('lighthouse', 'Theme: light')).toBe(0);
	});

	it('without accents and capitals', () => {
		expect(fit('RÉGLAGES', 'reglages')).toBe(4);
	});
});
