import { describe, expect, it } from 'vitest';
import type { Conversation } from '$lib/api';
import { group, groupOf } from './groups';

// A Wednesday.
const now = new Date(2026, 8, 16, 10, 0);
const day = (month: number, date: number, hour = 12) => new Date(2026, month - 1, date, hour);

describe('grouping by date', () => {
	it('goes by the calendar, not by hours', () => {
		expect(groupOf(new Date(2026, 8, 16, 0, 0), now)).toBe('today');
		expect(groupOf(day(9, 15, 23), now)).toBe('yesterday');
		expect(groupOf(day(9, 14, 1), now)).toBe('week');
		expect(groupOf(day(9, 13, 23), now)).toBe('month');
		expect(groupOf(day(9, 1, 0), now)).toBe('month');
		expect(groupOf(day(8, 31, 23), now)).toBe('older');
		expect(groupOf(new Date(2025, 8, 16), now)).toBe('older');
	});

	it('takes what is ahead of a slow clock for today', () => {
		expect(groupOf(day(9, 17), now)).toBe('today');
	});

	it('knows yesterday across the month, the year and the week', () => {
		expect(groupOf(new Date(2026, 7, 31, 9), new Date(2026, 8, 1, 0, 5))).toBe('yesterday');
		expect(groupOf(new Date(2025, 11, 31, 9), new Date(2026, 0, 1, 8))).toBe('yesterday');
		// A Monday: the week has only just begun.
		expect(groupOf(day(9, 12), new Date(2026, 8, 14, 9))).toBe('month');
	});

	it('orders by time and not by letters', () => {
		const make = (id: string, updated_at: string) => ({ id, pinned: false, updated_at }) as Conversation;
		const half = now.toISOString().replace('.000Z', '.5Z');
		const whole = now.toISOString().replace('.000Z', 'Z');
		const [today] = group([make('a', whole), make('b', half)], now);
		expect(today?.items.map(({ id }) => id)).toEqual(['b', 'a']);
	});

	it('puts the pinned first and the newest on top', () => {
		const make = (id: string, updated: Date, pinned = false) =>
			({ id, pinned, updated_at: updated.toISOString() }) as Conversation;
		const groups = group(
			[make('a', day(9, 16, 8)), make('b', day(9, 16, 9)), make('c', day(1, 2), true), make('d', day(3, 1))],
			now
		);
		expect(groups.map(({ name, items }) => [name, items.map(({ id }) => id)])).toEqual([
			['pinned', ['c']],
			['today', ['b', 'a']],
			['older', ['d']]
		]);
	});
});
