import { describe, expect, it } from 'vitest';
import { buckets, byState, coldSplit, shares, versionsOf } from './metrics';
import type { Instance, Point } from './types';

const point = (at: number, version: string, calls: number, more: Partial<Point> = {}): Point => ({
	at: new Date(at).toISOString(),
	version,
	alias: 'live',
	calls,
	errors: 0,
	cold_starts: 0,
	duration_ms_sum: 0,
	p50_ms: 10,
	p95_ms: 20,
	...more
});

describe('what a function was asked', () => {
	it('has every step once, and versions in their order', () => {
		const points = [
			point(2_000, '10', 3, { p50_ms: 10, p95_ms: 50 }),
			point(2_000, '9', 1, { errors: 1, cold_starts: 1, p50_ms: 30, p95_ms: 40 }),
			point(4_500, 'latest', 2)
		];
		expect(versionsOf(points)).toEqual(['9', '10', 'latest']);
		const all = buckets(points, 1_000, 1_500, 5_999);
		expect(
			all.map(({ at, calls, errors, coldStarts, byVersion }) => [at, calls, errors, coldStarts, byVersion])
		).toEqual([
			[1_000, 0, 0, 0, [0, 0, 0]],
			[2_000, 4, 1, 1, [0, 3, 0]],
			[3_000, 0, 0, 0, [0, 0, 0]],
			[4_000, 2, 0, 0, [0, 0, 2]],
			[5_000, 0, 0, 0, [0, 0, 0]]
		]);
		expect(all.map(({ p50, p95 }) => [p50, p95])).toEqual([
			[null, null],
			[15, 50],
			[null, null],
			[10, 20],
			[null, null]
		]);
		expect(buckets([], 1_000, 0, 0)).toHaveLength(1);
	});

	it('has the split of a canary as shares of its alias', () => {
		const row = (version: string, alias: string, calls: number) => ({
			version,
			alias,
			calls,
			errors: 0,
			share: 0,
			cpu_seconds: 0,
			gb_seconds: 0,
			cost: null
		});
		const split = shares([
			row('latest', '', 5),
			row('2', 'live', 10),
			row('1', 'live', 90),
			row('1', 'beta', 0)
		]);
		expect(split.map(({ alias, version, share }) => [alias, version, share])).toEqual([
			['beta', '1', 0],
			['live', '1', 0.9],
			['live', '2', 0.1],
			['', 'latest', 1]
		]);
	});

	it('divides cold starts', () => {
		const cold = { count: 2, queue_ms: 10, sandbox_ms: 20, spawn_ms: 30, init_ms: 40, first_byte_ms: 0 };
		expect(coldSplit(cold).map(({ share }) => share)).toEqual([0.1, 0.2, 0.3, 0.4, 0]);
		const none = { count: 0, queue_ms: 0, sandbox_ms: 0, spawn_ms: 0, init_ms: 0, first_byte_ms: 0 };
		expect(coldSplit(none).every(({ share }) => share === 0)).toBe(true);
	});

	it('counts instances by state', () => {
		const all = ['ready', 'stopped', 'frozen', 'ready'].map((state) => ({ state }) as Instance);
		expect(byState(all)).toEqual([
			['ready', 2],
			['frozen', 1]
		]);
	});
});
