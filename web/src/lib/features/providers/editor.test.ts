import { expect, it, vi } from 'vitest';
import { client, type Provider, type ProviderModel } from '$lib/api';
import { ProviderEditor } from './editor.svelte';

function model(name: string, enabled = true): ProviderModel {
	return {
		name,
		display_name: null,
		context_window: null,
		abilities: [],
		prices: null,
		stand_in: null,
		parameters: null,
		enabled
	};
}

function provider(models: ProviderModel[]): Provider {
	return {
		id: '0190c0de-0000-7000-8000-000000000001',
		name: 'Mock',
		slug: 'mock',
		kind: 'openai',
		base_url: 'http://mock/v1',
		has_api_key: false,
		enabled: true,
		models,
		created_at: '2026-11-23T12:00:00Z',
		updated_at: '2026-11-23T12:00:00Z'
	};
}

const switchOff = (name: string) => (models: ProviderModel[]) =>
	models.map((one) => (one.name === name ? { ...one, enabled: false } : one));

type Answer = { data?: Provider; error?: unknown; response: Response };

/** Stands in for the server's `PUT …/models`: `answer` gets the models of each request in turn. */
function serve(answer: (models: ProviderModel[]) => Answer) {
	vi.spyOn(client, 'PUT').mockImplementation(((_path: string, init: { body: { models: ProviderModel[] } }) =>
		Promise.resolve(answer(init.body.models))) as never);
}

const stored = (models: ProviderModel[]): Answer => ({ data: provider(models), response: Response.json({}) });

it('lays quick changes on top of each other and sends each with the ones before it', async () => {
	const sent: string[][] = [];
	serve((models) => {
		sent.push(models.filter((one) => one.enabled).map((one) => one.name));
		return stored(models);
	});
	const editor = new ProviderEditor(provider([model('a'), model('b')]));
	const first = editor.changeModels(switchOff('a'));
	const second = editor.changeModels(switchOff('b'));
	expect(editor.provider.models.map((one) => one.enabled)).toEqual([false, false]);
	await Promise.all([first, second]);
	expect(sent).toEqual([['b'], []]);
	expect(editor.provider.models.map((one) => one.enabled)).toEqual([false, false]);
});

it('takes back only the change that was refused', async () => {
	let round = 0;
	serve((models) =>
		round++ === 0
			? { error: { code: 'internal', title: 'Failed' }, response: Response.json({}, { status: 500 }) }
			: stored(models)
	);
	const editor = new ProviderEditor(provider([model('a'), model('b')]));
	const first = editor.changeModels(switchOff('a'));
	const second = editor.changeModels(switchOff('b'));
	await expect(first).rejects.toMatchObject({ code: 'internal' });
	await second;
	expect(editor.provider.models.map((one) => one.enabled)).toEqual([true, false]);
});
