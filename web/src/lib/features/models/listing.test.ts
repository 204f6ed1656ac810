import { describe, expect, it } from 'vitest';
import type { Model } from '$lib/api';
import { groupModels, shortTokens } from './listing';

const nameOf = (id: string) => id.slice(id.indexOf('/') + 1);
const model = (id: string, provider: string, display_name = nameOf(id)): Model => ({
	id,
	name: nameOf(id),
	display_name,
	provider,
	context_window: null,
	abilities: [],
	sees: null,
	parameters: null,
	local: false,
	in_browser: false
});

describe('the model picker', () => {
	const models = [
		model('a/llama3.1:8b', 'Alpha'),
		model('b/gpt', 'Beta', 'Great One'),
		model('a/qwen', 'Alpha')
	];

	it('groups by provider', () => {
		expect(groupModels(models, '').map((group) => [group.provider, group.models.length])).toEqual([
			['Alpha', 2],
			['Beta', 1]
		]);
	});

	it('finds by every word, in name, display name and provider', () => {
		expect(groupModels(models, 'alpha LLAMA').flatMap((group) => group.models)).toEqual([models[0]]);
		expect(groupModels(models, 'great').flatMap((group) => group.models)).toEqual([models[1]]);
		expect(groupModels(models, 'nothing')).toEqual([]);
	});

	it('says windows as people do', () => {
		expect([512, 2_512, 8_192, 32_768, 128_000, 131_072, 1_048_576, 2_000_000].map(shortTokens)).toEqual([
			'512',
			'2.5k',
			'8k',
			'32k',
			'128k',
			'128k',
			'1M',
			'2M'
		]);
	});
});
