import { describe, expect, it } from 'vitest';
import type { ProviderModel } from '$lib/api';
import { parseContextWindow, parsePrice, priceText, searchModels } from './models';

function model(name: string, display_name: string | null = null): ProviderModel {
	return {
		name,
		display_name,
		context_window: null,
		abilities: [],
		prices: null,
		stand_in: null,
		parameters: null,
		enabled: true
	};
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

describe('a price as typed', () => {
	it.each([
		['', null],
		['2.50', 2_500_000],
		['$ 10', 10_000_000],
		['0,075', 75_000],
		['0', 0]
	])('%s', (text, micros) => {
		expect(parsePrice(text)).toBe(micros);
	});

	it('is not a number when it is something else', () => {
		for (const text of ['free', '-1', '1.2.3', '200000', '1e3']) expect(parsePrice(text)).toBeNaN();
	});

	it('is shown as it can be typed again', () => {
		for (const micros of [0, 1, 75_000, 2_500_000, 100_000_000_000])
			expect(parsePrice(priceText(micros))).toBe(micros);
		expect(priceText(null)).toBe('');
	});
});
