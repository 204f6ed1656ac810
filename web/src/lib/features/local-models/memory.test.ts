import { describe, expect, it } from 'vitest';
import { deviceShares, shares } from './memory';

const machine = {
	memory_total_bytes: 1000,
	memory_available_bytes: 700,
	models_bytes: 0,
	models_mapped_bytes: 0,
	processors: 4,
	disk_free_bytes: 1,
	devices: [],
	failed_engines: []
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

describe('the memory of a graphics processor', () => {
	const device = {
		name: 'CUDA0',
		description: 'A card',
		kind: 'discrete' as const,
		engine: 'cuda',
		total_bytes: 1000,
		free_bytes: 400,
		models_bytes: 500,
		bound_bytes: 900,
		verified: false
	};

	it('is what models, others and nobody holds', () => {
		expect(deviceShares(device)).toEqual({ models: 500, others: 100, free: 400 });
	});

	it('belongs to the models where the driver does not count', () => {
		expect(deviceShares({ ...device, free_bytes: 1000 })).toEqual({ models: 500, others: 0, free: 500 });
	});
});
