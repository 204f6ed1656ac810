import { describe, expect, it } from 'vitest';
import { pieces } from './highlight';

const shown = (text: string, ...ranges: [number, number][]) =>
	pieces({ text, highlights: ranges.map(([start, end]) => ({ start, end })) })
		.map(({ text, marked }) => (marked ? `[${text}]` : text))
		.join('');

describe('highlights', () => {
	it('mark what the server says, and keep the rest', () => {
		expect(shown('a plan for tea', [2, 6], [11, 14])).toBe('a [plan] for [tea]');
		expect(shown('tea', [0, 3])).toBe('[tea]');
		expect(shown('no marks')).toBe('no marks');
		expect(shown('')).toBe('');
	});

	it('count as strings do, beyond the first plane too', () => {
		expect(shown('🪡🪡 机器学习', [5, 7])).toBe('🪡🪡 [机器]学习');
	});

	it('never lose text to ranges that do not fit', () => {
		expect(shown('short', [3, 99], [4, 2], [0, 2], [1, 3])).toBe('[sh]ort');
	});
});
