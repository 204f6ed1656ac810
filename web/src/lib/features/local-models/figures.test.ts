import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, formatWeights } from './figures';

describe('figures of models', () => {
	it('are sizes of three digits', () => {
		expect(
			[0, 999, 1000, 271_000_000, 999_600_000, 1_300_000_000, 43_000_000_000].map((n) => formatBytes(n))
		).toEqual(['0 bytes', '999 bytes', '1 kB', '271 MB', '1 GB', '1.3 GB', '43 GB']);
		expect(formatBytes(2_500_000, '-per-second')).toBe('3 MB/s');
	});

	it('are weights as people count them', () => {
		expect([134_515_008, 1_711_000_000, 8_030_000_000, 70_553_706_496].map(formatWeights)).toEqual([
			'135M',
			'1.7B',
			'8B',
			'71B'
		]);
	});

	it('are times of one unit', () => {
		expect([0.2, 40, 61, 5399, 5401].map(formatDuration)).toEqual([
			'1 sec',
			'40 sec',
			'2 min',
			'90 min',
			'2 hr'
		]);
	});
});
