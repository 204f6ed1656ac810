import type { Model } from '$lib/api';
import { formatNumber } from '$lib/i18n';

interface ProviderGroup {
	provider: string;
	models: Model[];
}

/** Models that match all the words, by provider in the order of the list. */
export function groupModels(models: readonly Model[], words: string): ProviderGroup[] {
	const wanted = words.toLocaleLowerCase().split(/\s+/).filter(Boolean);
	const groups = new Map<string, Model[]>();
	for (const model of models) {
		const text = `${model.id} ${model.display_name ?? ''} ${model.provider}`.toLocaleLowerCase();
		if (!wanted.every((word) => text.includes(word))) continue;
		const group = groups.get(model.provider);
		if (group) group.push(model);
		else groups.set(model.provider, [model]);
	}
	return [...groups].map(([provider, items]) => ({ provider, models: items }));
}

/** 8192 is 8k to those who choose by it, and so is 8000; 2512 is 2.5k. */
export function shortTokens(tokens: number): string {
	const unit = tokens % 1000 !== 0 && tokens % 1024 === 0 ? 1024 : 1000;
	if (tokens < 1000) return formatNumber(tokens);
	const [amount, letter] = tokens < unit * unit ? [tokens / unit, 'k'] : [tokens / (unit * unit), 'M'];
	return formatNumber(amount, { maximumFractionDigits: amount < 10 ? 1 : 0 }) + letter;
}
