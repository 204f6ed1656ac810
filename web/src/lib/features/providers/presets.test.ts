import { describe, expect, it } from 'vitest';
import { isBaseUrl, normaliseBaseUrl } from './base-url';
import { chosen, custom, presets, type Preset } from './presets';
import { protocols } from './protocol';
import { slugFault } from './slug';

const all = presets();
const of = (id: string): Preset => {
	const found = all.find((preset) => preset.id === id);
	if (!found) throw new Error(`no preset ${id}`);
	return found;
};
const nothing = { name: '', slug: null, kind: 'openai' as const, baseUrl: '' };

describe('a preset', () => {
	it.each(all.filter((preset) => preset.id !== custom().id))('$id can be added as it is', (preset) => {
		expect(slugFault(preset.slug)).toBeNull();
		expect(preset.kind in protocols()).toBe(true);
		if (preset.baseUrl) {
			expect(isBaseUrl(preset.baseUrl)).toBe(true);
			expect(normaliseBaseUrl(preset.baseUrl)).toBe(preset.baseUrl);
		} else {
			expect(preset.hint, 'an address that must be asked for is explained').toBeTruthy();
		}
		if (preset.keysAt) expect(new URL(preset.keysAt).protocol).toBe('https:');
	});

	it('is known by one id, and shows one name', () => {
		expect(new Set(all.map((preset) => preset.id)).size).toBe(all.length);
		expect(new Set(all.map((preset) => preset.name)).size).toBe(all.length);
		expect(all[0]?.id).toBe(custom().id);
	});

	it('stands for every protocol but the second of OpenAI', () => {
		const kinds = new Set(all.map((preset) => preset.kind));
		expect(Object.keys(protocols()).filter((kind) => !kinds.has(kind as never))).toEqual(['responses']);
	});
});

describe('choosing a preset', () => {
	it('fills the fields, and empties them again', () => {
		const filled = chosen(nothing, of(custom().id), of('deepseek'));
		expect(filled).toEqual({
			name: 'DeepSeek',
			slug: 'deepseek',
			kind: 'openai',
			baseUrl: 'https://api.deepseek.com/v1'
		});
		expect(chosen(filled, of('deepseek'), of('anthropic'))).toEqual({
			name: 'Anthropic',
			slug: 'anthropic',
			kind: 'anthropic',
			baseUrl: 'https://api.anthropic.com/v1'
		});
		expect(chosen(filled, of('deepseek'), of(custom().id))).toEqual(nothing);
	});

	it('leaves alone what was typed', () => {
		const typed = {
			name: 'Ours',
			slug: 'ours',
			kind: 'openai' as const,
			baseUrl: 'https://proxy.example/v1'
		};
		expect(chosen(typed, of(custom().id), of('gemini'))).toEqual({ ...typed, kind: 'gemini' });
		const half = { ...chosen(nothing, of(custom().id), of('groq')), name: 'Fast' };
		expect(chosen(half, of('groq'), of('xai'))).toMatchObject({ name: 'Fast', slug: 'xai' });
	});
});
