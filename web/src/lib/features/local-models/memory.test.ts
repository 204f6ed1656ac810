import { describe, expect, it } from 'vitest';
import { shares } from './memory';

const machine = {
	memory_total_bytes: 1000,
	memory_available_bytes: 700,
	models_bytes: 0,
	models_mapped_bytes: 0,
	processors: 4,
	disk_free_bytes: 1
};

describe('the memory of the machine', () => {
	it('is what others use and what is free while no model is loaded', () => {
		expect(shares(machine)).toEqual({ models: 0, others: 300, free: 700 });
	});

	it('counts weights to the models although the kernel calls them available', () => {
		expect(shares({ ...machine, models_bytes: 350, models_mapped_bytes: 250 })).toEqual({
			models: 350,
			others: 200,
			free: 450
		});
	});

	it('never adds up to more than there is', () => {
		const full = { ...machine, memory_available_bytes: 0, models_bytes: 1200, models_mapped_bytes: 1200 };
		expect(shares(full)).toEqual({ models: 1000, others: 0, free: 0 });
	});
});
