import type { Ability, ProviderModel } from '$lib/api';
import { m } from '$lib/i18n';

export const abilities: Ability[] = ['reasoning', 'tools', 'vision'];

export function abilityName(ability: Ability): string {
	return {
		reasoning: m.settings_ability_reasoning(),
		tools: m.settings_ability_tools(),
		vision: m.settings_ability_vision()
	}[ability];
}

/** Models whose name or display name holds every word typed. */
export function searchModels(models: ProviderModel[], typed: string): ProviderModel[] {
	const words = typed.toLocaleLowerCase().split(/\s+/).filter(Boolean);
	return models.filter((model) => {
		const text = `${model.name} ${model.display_name ?? ''}`.toLocaleLowerCase();
		return words.every((word) => text.includes(word));
	});
}

/** A context window as typed: "128k", "32,768", "131072"; null for nothing, NaN for what is no such number. */
export function parseContextWindow(text: string): number | null {
	const plain = text
		.trim()
		.toLowerCase()
		.replace(/[,\s_]/g, '');
	if (plain === '') return null;
	const match = /^(\d+(?:\.\d+)?)([km]?)$/.exec(plain);
	if (!match) return Number.NaN;
	const size = Number(match[1]) * { '': 1, k: 1024, m: 1_048_576 }[(match[2] ?? '') as '' | 'k' | 'm'];
	return Number.isInteger(size) && size >= 1 && size <= 0xffff_ffff ? size : Number.NaN;
}

/** Dollars for a million tokens as typed, in millionths of a dollar; null for nothing, NaN for what is no price. */
export function parsePrice(text: string): number | null {
	const plain = text.trim().replace(/^\$\s*/, '');
	if (plain === '') return null;
	if (!/^\d{1,6}(?:[.,]\d{1,6})?$/.test(plain)) return Number.NaN;
	const micros = Math.round(Number(plain.replace(',', '.')) * 1e6);
	return micros <= 1e11 ? micros : Number.NaN;
}

/** The same as it is typed. */
export function priceText(micros: number | null | undefined): string {
	return typeof micros === 'number' ? String(micros / 1e6) : '';
}

/** A JSON Schema as typed: null for nothing, undefined for what is no JSON object. The server says what else is wrong with it. */
export function parseSchema(text: string): ProviderModel['parameters'] | undefined {
	if (text.trim() === '') return null;
	try {
		const value: unknown = JSON.parse(text);
		const object = typeof value === 'object' && value !== null && !Array.isArray(value);
		return object ? (value as ProviderModel['parameters']) : undefined;
	} catch {
		return undefined;
	}
}
