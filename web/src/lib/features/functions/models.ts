// Which models a function may call, as its settings show it.
import type { Model } from '$lib/api';
import type { ModelAccess } from './types';

export type ModelChoice = 'off' | 'all' | 'only';

/** The ids that were chosen; null where none or all are allowed. */
export const chosenOf = (access: ModelAccess): string[] | null =>
	typeof access === 'object' ? access.only : null;

/** Every model that a function could call, and those that were chosen and are not there now. */
export function callable(
	models: readonly Model[],
	chosen: readonly string[]
): { id: string; name: string }[] {
	const here = models.filter((model) => !model.in_browser);
	const gone = chosen.filter((id) => !here.some((model) => model.id === id));
	return [
		...here.map((model) => ({ id: model.id, name: model.display_name ?? model.name })),
		...gone.map((id) => ({ id, name: id.slice(id.indexOf('/') + 1) }))
	];
}

export function withModel(chosen: readonly string[], id: string, on: boolean): ModelAccess {
	const others = chosen.filter((other) => other !== id);
	return { only: on ? [...others, id] : others };
}
