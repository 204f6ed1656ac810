import type { MachineFacts } from '$lib/api';

/**
 * Who holds the memory of the machine, in bytes. Weights lie in files, which the kernel counts as available because it could
 * take them back; here they belong to the models.
 */
export function shares(machine: MachineFacts): { models: number; others: number; free: number } {
	const total = machine.memory_total_bytes;
	const models = Math.min(machine.models_bytes, total);
	const own = Math.max(0, machine.models_bytes - machine.models_mapped_bytes);
	const used = Math.max(0, total - machine.memory_available_bytes);
	const others = Math.min(Math.max(0, used - own), total - models);
	return { models, others, free: total - models - others };
}
