import { describe, expect, it } from 'vitest';
import type { DailyUsage } from '$lib/api';
import { byDay, byModel, dateOf, momentOf, strength, total, weeks } from './sums';

function use(date: string, model: string, tokens: number, cost: number | null = null): DailyUsage {
	return {
		date,
		model,
		calls: 1,
		failed: 0,
		prompt_tokens: tokens,
		cached_tokens: 0,
		completion_tokens: 1,
		reasoning_tokens: 0,
		cost
	};
}

const usage = [
	use('2026-11-24', 'a/x', 10, 5),
	use('2026-11-24', 'b/y', 100),
	use('2026-11-22', 'a/x', 200, 7)
];

describe('sums of usage', () => {
	it('adds all up, and knows no cost where there is none', () => {
		expect(total(usage)).toEqual({ calls: 3, failed: 0, prompt: 310, cached: 0, answer: 3, cost: 12 });
		expect(total([use('2026-11-24', 'a/x', 1)]).cost).toBeNull();
		expect(total([]).calls).toBe(0);
	});

	it('has the model with the most tokens first', () => {
		expect(byModel(usage).map((one) => [one.model, one.prompt, one.cost])).toEqual([
			['a/x', 210, 12],
			['b/y', 100, null]
		]);
	});

	it('has every day up to today once, also where the clocks change', () => {
		const days = byDay(usage, 3, new Date(2026, 10, 24, 23, 59));
		expect(days.map((day) => [day.date, day.prompt])).toEqual([
			['2026-11-22', 200],
			['2026-11-23', 0],
			['2026-11-24', 110]
		]);
		const year = byDay([], 366, new Date(2026, 10, 24, 0, 1)).map((day) => day.date);
		expect(new Set(year).size).toBe(366);
		expect(year.at(-1)).toBe('2026-11-24');
	});

	it('fills weeks from Monday on', () => {
		const filled = weeks(byDay(usage, 3, new Date(2026, 10, 24)));
		// Sunday the 22nd ends a week; Monday and Tuesday begin the next.
		expect(filled.map((week) => week.map((day) => day?.date.slice(-2) ?? '-').join(' '))).toEqual([
			'- - - - - - 22',
			'23 24 - - - - -'
		]);
		expect(weeks([])).toEqual([]);
	});

	it('reads a date back to the day it was written on', () => {
		expect(dateOf(momentOf('2026-03-29'))).toBe('2026-03-29');
	});

	it('draws what is little, and nothing where nothing is', () => {
		expect(strength(total([use('2026-11-24', 'little', 0)]), 10_000)).toBe(1);
		expect(strength(total([use('2026-11-24', 'much', 9_999)]), 10_000)).toBe(4);
		expect(strength(total([]), 10_000)).toBe(0);
	});
});
