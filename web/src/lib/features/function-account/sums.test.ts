import { describe, expect, it } from 'vitest';
import { steps, together } from './sums';
import type { Point, Sum } from './types';

const point = (at: number, calls: number, cost: number | null, models_cost: number | null): Point => ({
	at: new Date(at).toISOString(),
	calls,
	errors: 1,
	cpu_seconds: 2,
	gb_seconds: 3,
	cost,
	models_cost
});

const sum = (cost: number | null, of_models: number | null): Pick<Sum, 'cost' | 'models'> => ({
	cost,
	models: {
		calls: 1,
		failed: 0,
		prompt_tokens: 1,
		cached_tokens: 0,
		completion_tokens: 1,
		reasoning_tokens: 0,
		cost: of_models
	}
});

describe('what functions took', () => {
	it('has every step once', () => {
		const all = steps([point(2_000, 4, 10, 7), point(4_000, 2, null, null)], 1_000, 1_500, 4_999);
		expect(all.map(({ at, calls, cost, models }) => [at, calls, cost, models])).toEqual([
			[1_000, 0, 0, 0],
			[2_000, 4, 10, 7],
			[3_000, 0, 0, 0],
			[4_000, 2, 0, 0]
		]);
	});

	it('adds up only what both have prices for', () => {
		expect(together(sum(5, 7))).toBe(12);
		expect(together(sum(0, 7))).toBe(7);
		expect(together(sum(null, 7))).toBeNull();
		expect(together(sum(5, null))).toBeNull();
	});
});
