import { describe, expect, it } from 'vitest';
import { findByText, isAction } from './menu';

describe('finding a menu entry by typing', () => {
	const labels = ['Rename', 'Pin', 'Reload', 'Delete'];

	it('goes on from the focused entry and around', () => {
		expect(findByText(labels, 'r', 0)).toBe(0);
		expect(findByText(labels, 'r', 1)).toBe(2);
		expect(findByText(labels, 'r', 3)).toBe(0);
	});

	it('takes more letters and any case', () => {
		expect(findByText(labels, 'REL', 0)).toBe(2);
		expect(findByText(labels, 'x', 0)).toBe(-1);
	});
});

it('tells actions from headings and separators', () => {
	expect([{ label: 'a' }, { heading: 'b' }, 'separator' as const].map(isAction)).toEqual([
		true,
		false,
		false
	]);
});
