import type { ModelSuggestion } from '$lib/api';

const SHOWN = 6;

/** The suggestions to begin with: the largest that fit now, and if there are few, what comes next in size. */
export function shortList(items: ModelSuggestion[]): ModelSuggestion[] {
	const fitting = items.filter((item) => item.fit === 'now' && !item.installed);
	if (fitting.length >= SHOWN) return fitting.slice(-SHOWN);
	const chosen = new Set([
		...fitting,
		...items.filter((item) => !fitting.includes(item)).slice(0, SHOWN - fitting.length)
	]);
	return items.filter((item) => chosen.has(item));
}
