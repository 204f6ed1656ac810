// What functions cost, and when.
import type { Point, Sum } from './types';

export interface Step {
	/** Its beginning, in milliseconds. */
	at: number;
	/** Those of functions, and what models took that these called. */
	calls: number;
	errors: number;
	cpu: number;
	cost: number;
	models: number;
}

/** Every step from the first to `until`, those in which nothing was taken among them. */
export function steps(points: readonly Point[], step: number, from: number, until: number): Step[] {
	const first = Math.floor(from / step);
	const count = Math.max(1, Math.floor(until / step) - first + 1);
	const taken = new Map(points.map((point) => [Math.floor(Date.parse(point.at) / step), point]));
	return Array.from({ length: count }, (_, index) => {
		const point = taken.get(first + index);
		return {
			at: (first + index) * step,
			calls: point?.calls ?? 0,
			errors: point?.errors ?? 0,
			cpu: point?.cpu_seconds ?? 0,
			cost: point?.cost ?? 0,
			models: point?.models_cost ?? 0
		};
	});
}

/** Of functions and models together; null unless both have prices, since one alone is no sum. */
export const together = ({ cost, models }: Pick<Sum, 'cost' | 'models'>): number | null =>
	cost === null || models.cost === null ? null : cost + models.cost;
