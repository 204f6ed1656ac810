import type { MachineFacts } from '$lib/api';

/** Who holds a memory, in bytes. */
export interface Shares {
	models: number;
	others: number;
	free: number;
}

/**
 * Who holds the memory of the machine. Weights lie in files, which the kernel counts as available because it could
 * take them back; here they belong to the models.
 */
export function shares(machine: MachineFacts): Shares {
	const total = machine.memory_total_bytes;
	const models = Math.min(machine.models_bytes, total);
	const own = Math.max(0, machine.models_bytes - machine.models_mapped_bytes);
	const used = Math.max(0, total - machine.memory_available_bytes);
	const others = Math.min(Math.max(0, used - own), total - models);
	return { models, others, free: total - models - others };
}

/** The same of a graphics processor. A driver that does not count says that all of it is free, whatever models hold. */
export function deviceShares(device: MachineFacts['devices'][number]): Shares {
	const models = Math.min(device.models_bytes, device.total_bytes);
	const others = Math.max(0, device.total_bytes - device.free_bytes - models);
	return { models, others, free: device.total_bytes - models - others };
}
