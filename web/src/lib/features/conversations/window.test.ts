import { describe, expect, it } from 'vitest';
import { heightOf, stepTo, windowOf } from './window';

const sizes = { heading: 30, row: 40, margin: 4, beyond: 0 };
const view = (top: number, height = 400) => ({ top, height });

describe('the rows that are in the page', () => {
	it('are those that the view touches, group by group', () => {
		// The first group reaches from 34 to 154, the second from 184 on.
		expect(windowOf([3, 1_000], view(0), sizes)).toEqual([
			{ first: 0, end: 3 },
			{ first: 0, end: 6 }
		]);
		expect(windowOf([3, 1_000], view(4_184), sizes)).toEqual([
			{ first: 3, end: 3 },
			{ first: 100, end: 110 }
		]);
	});

	it('stay within the list, also when the view is beyond its end', () => {
		const [slice] = windowOf([5], view(10_000), sizes);
		expect(slice).toEqual({ first: 5, end: 5 });
		expect(windowOf([], view(0), sizes)).toEqual([]);
	});

	it('reach a little further than the view', () => {
		expect(windowOf([1_000], view(4_034), { ...sizes, beyond: 80 })).toEqual([{ first: 98, end: 112 }]);
	});

	it('are few however long the list is', () => {
		for (let top = 0; top < 4_000_000; top += 98_765) {
			const slices = windowOf([10, 100, 99_000], view(top), sizes);
			const shown = slices.reduce((sum, { first, end }) => sum + end - first, 0);
			expect(shown).toBeLessThanOrEqual(12);
		}
	});

	it('leave the height as it would be with all of them', () => {
		expect(heightOf([3, 1_000], sizes)).toBe(4 + 30 + 120 + 30 + 40_000);
	});
});

describe('keys in the list', () => {
	it('go by one, by a page and to the ends, and stay inside', () => {
		expect(stepTo('ArrowDown', 4, 10, 3)).toBe(5);
		expect(stepTo('ArrowDown', 9, 10, 3)).toBe(9);
		expect(stepTo('ArrowUp', 0, 10, 3)).toBe(0);
		expect(stepTo('PageDown', 4, 10, 3)).toBe(7);
		expect(stepTo('PageUp', 1, 10, 3)).toBe(0);
		expect(stepTo('Home', 4, 10, 3)).toBe(0);
		expect(stepTo('End', 4, 10, 3)).toBe(9);
		expect(stepTo('Enter', 4, 10, 3)).toBeNull();
	});
});
