import { describe, expect, it } from 'vitest';
import type { ProviderModel } from '$lib/api';
import { parseContextWindow, searchModels } from './models';

function model(name: string, display_name: string | null = null): ProviderModel {
	return { name, display_name, context_window: null, abilities: [], enabled: true };
}

describe('a context window as typed', () => {
	it.each([
		['', null],
		['8192', 8192],
		['32,768', 32_768],
		['128k', 131_072],
		[' 1M ', 1_048_576],
		['0.5k', 512]
	])('%s', (text, value) => {
		expect(parseContextWindow(text)).toBe(value);
	});

	it('is not a number when it is something else', () => {
		for (const text of ['big', '-5', '0', '1.5', '99999999999']) expect(parseContextWindow(text)).toBeNaN();
	});
});

it('searches models in name and display name, all words', () => {
	const all = [model('gpt-5-mini', 'GPT-5 mini'), model('deepseek-chat', '深度求索'), model('o4-mini')];
	expect(searchModels(all, '  ').length).toBe(3);
	expect(searchModels(all, 'MINI gpt').map((one) => one.name)).toEqual(['gpt-5-mini']);
	expect(searchModels(all, '深度').map((one) => one.name)).toEqual(['deepseek-chat']);
	expect(searchModels(all, 'llama')).toEqual([]);
});
