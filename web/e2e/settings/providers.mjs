// Providers, their models, the connectivity check and network access, as an administrator.
import { expect } from '../expect.mjs';
import { until, views } from '../harness.mjs';
import { accessible, api, complete, enter, lastAnswer, picture } from '../page.mjs';
import { tableRow } from './words.mjs';

/** A provider of its own for one test. The mock's address is allowed already. */
async function provider(all, page, slug, path = '') {
	await api(page, all, 'POST', '/egress/allowances', { authority: new URL(all.mockOrigin).host });
	return api(page, all, 'POST', '/providers', {
		name: `Provider ${slug}`,
		slug,
		kind: 'openai',
		base_url: `${all.mockOrigin}${path}/v1`,
		enabled: true
	});
}

async function addOnPhone(all) {
	const page = await enter(all, views['390 px, light'], '/settings/providers');
	await page.getByRole('button', { name: 'Add provider' }).click();
	const dialog = page.getByRole('dialog');
	const add = dialog.getByRole('button', { name: 'Add provider' });
	const slug = dialog.getByLabel('Slug');
	await dialog.getByLabel('Service').selectOption('DeepSeek');
	expect(await dialog.getByLabel('Base URL').inputValue()).equals(
		'https://api.deepseek.com/v1',
		'a known service fills in its address'
	);
	expect(await slug.inputValue()).equals('deepseek', 'and its slug');
	const keys = dialog.getByRole('link', { name: 'Get a key at platform.deepseek.com' });
	expect(await keys.getAttribute('rel')).equals(
		'noopener noreferrer',
		'the service is not told where one comes from'
	);
	await accessible(page, 'a known service');
	await picture(page, 'known service phone');
	await dialog.getByLabel('Service').selectOption('Another service, or an agent of your own');
	expect(await dialog.getByLabel('Base URL').inputValue()).equals('', 'another choice takes it back');
	await dialog.getByLabel('Name', { exact: true }).fill('Zürich Labs (vLLM)');
	expect(await slug.inputValue()).equals('zurich-labs-vllm', 'the slug is suggested');
	await slug.fill('Wrong Slug');
	await dialog.getByLabel('Base URL').fill('llm.example');
	await add.click();
	await dialog.getByText('Small letters, digits and hyphens').waitFor();
	await dialog.getByText('This is not a complete address.').waitFor();
	await accessible(page, 'a provider that cannot be added');
	await picture(page, 'add provider phone');
	await slug.fill('mock');
	await dialog.getByLabel('Protocol').selectOption('Anthropic');
	expect(await dialog.getByLabel('Base URL').getAttribute('placeholder')).equals(
		'https://api.anthropic.com/v1',
		'the address belongs to the protocol'
	);
	await dialog.getByLabel('Base URL').fill('https://llm.example/v1/messages');
	await add.click();
	await dialog.getByText('Another provider has this slug').waitFor();
	await slug.fill('');
	await add.click();
	await page.waitForURL('**/settings/providers/*');
	expect(await page.getByLabel('Base URL').inputValue()).equals(
		'https://llm.example/v1',
		'only the base is kept'
	);
	await page.getByText('No models yet').waitFor();
	await accessible(page, 'a new provider on a phone');

	await page.getByRole('button', { name: 'Delete provider…' }).click();
	const sure = page.getByRole('alertdialog', { name: 'Delete Zürich Labs (vLLM)?' });
	await sure.getByText('0 models and their settings').waitFor();
	await sure.getByText('access to zurich-labs-vllm/…').waitFor();
	await accessible(page, 'deleting a provider');
	await sure.getByRole('button', { name: 'Delete provider' }).click();
	await page.waitForURL('**/settings/providers');
	await until(
		'the row to go',
		10_000,
		async () => (await page.getByRole('rowheader', { name: /Zürich Labs/ }).count()) === 0
	);
}

async function keyIsSealed(all) {
	const page = await enter(all, views['1440 px, light']);
	const { id } = await provider(all, page, 'sealed');
	await page.goto(`${all.stoa.origin}/settings/providers/${id}`);
	await page.getByLabel(/^API key/).fill('sk-the-secret-of-the-test');
	await page.getByRole('button', { name: 'Save changes' }).click();
	await page.getByText('Stored, sealed').waitFor();
	await page.reload();
	await page.getByText('Stored, sealed').waitFor();
	expect(await page.content()).equals(
		(await page.content()).replaceAll('sk-the-secret', ''),
		'the key is not shown'
	);
	await page.getByRole('button', { name: 'Replace' }).click();
	await page.getByRole('button', { name: 'Keep the stored key' }).click();
	await page.getByRole('button', { name: 'Remove key' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Remove key' }).click();
	await page.getByLabel(/^API key/).waitFor();
	expect((await api(page, all, 'GET', `/providers/${id}`)).has_api_key).equals(false);
	await api(page, all, 'DELETE', `/providers/${id}`);
}

async function realErrors(all) {
	const page = await enter(all, views['1440 px, dark']);
	const { id } = await provider(all, page, 'refusing', '/__scenario/status=401');
	await page.goto(`${all.stoa.origin}/settings/providers/${id}`);
	await page.getByRole('button', { name: 'Add model' }).click();
	await page.getByRole('dialog').getByLabel('Model name').fill('echo');
	await page.getByRole('dialog').getByRole('button', { name: 'Add model' }).click();
	await page.getByText('refusing/echo').waitFor();
	await page.getByLabel('Model to ask').selectOption('echo');
	await page.getByRole('button', { name: 'Check connection' }).click();
	await page.getByText('The provider refused the request').waitFor();
	await page.getByText('The mock was told to answer 401').waitFor();
	await accessible(page, 'a check that failed');
	await picture(page, 'check failed');
	await api(page, all, 'DELETE', `/providers/${id}`);
}

async function models(all) {
	const page = await enter(all, views['1440 px, light']);
	const { id } = await provider(all, page, 'library');
	await page.goto(`${all.stoa.origin}/settings/providers/${id}`);
	await page.getByText('No models yet').waitFor();
	await page.getByRole('button', { name: 'Fetch models' }).click();
	await page
		.getByText(/\d+ new models/)
		.first()
		.waitFor();
	const stored = async (name) =>
		(await api(page, all, 'GET', `/providers/${id}`)).models.find((model) => model.name === name);
	expect((await stored('counter'))?.enabled).equals(true, 'fetched models are on');

	await page.getByRole('searchbox', { name: 'Search models' }).fill('no such model');
	await page.getByText('No model matches “no such model”.').waitFor();
	await page.getByRole('searchbox', { name: 'Search models' }).fill('count');
	await page
		.getByRole('switch', { name: /^counter.* switched on$/ })
		.first()
		.click();
	await until('the switch to be stored', 10_000, async () => (await stored('counter')).enabled === false);
	const offered = async () => (await api(page, all, 'GET', '/models')).items.map((model) => model.id);
	await until(
		'what is off not to be offered',
		10_000,
		async () => !(await offered()).includes('library/counter')
	);

	await page.getByRole('button', { name: 'Edit counter', exact: true }).click();
	const dialog = page.getByRole('dialog', { name: 'Edit counter' });
	await accessible(page, 'editing a model');
	await dialog.getByLabel('Display name').fill('The Counter');
	await dialog.getByLabel('Context window').fill('lots');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await dialog.getByText('Write a whole number of tokens').waitFor();
	await dialog.getByLabel('Context window').fill('128k');
	await dialog.getByLabel('Tools').check();
	await dialog.getByLabel('Prompt', { exact: true }).fill('2.50');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await dialog.getByText('Give at least the prices of prompt and answer').waitFor();
	await accessible(page, 'half a price');
	await dialog.getByLabel('Answer', { exact: true }).fill('10');
	await dialog.getByLabel('Stand-in').selectOption('mock/echo');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await page.getByRole('rowheader', { name: /The Counter/ }).waitFor();
	await tableRow(page, 'The Counter').getByText('131,072').waitFor();
	// The page shows it before the server has it.
	await until('it to be stored', 10_000, async () => (await stored('counter')).display_name !== null);
	expect(await stored('counter')).equals(
		{
			name: 'counter',
			display_name: 'The Counter',
			context_window: 131_072,
			abilities: ['tools'],
			prices: { input: 2_500_000, cached_input: null, output: 10_000_000 },
			stand_in: 'mock/echo',
			parameters: null,
			enabled: false
		},
		'the model as stored'
	);
	await page.getByRole('button', { name: 'Fetch models' }).click();
	await page.getByText('No new models. Known ones keep their settings.').first().waitFor();
	expect((await stored('counter')).display_name).equals('The Counter', 'known ones keep their settings');

	await page.getByRole('button', { name: 'Remove The Counter' }).click();
	await page.getByText('The Counter removed').first().waitFor();
	await until('it to be gone', 10_000, async () => (await stored('counter')) === undefined);
	await page.getByRole('button', { name: 'Undo' }).click();
	await page.getByRole('rowheader', { name: /The Counter/ }).waitFor();
	await until('it to be there again', 10_000, async () => (await stored('counter')) !== undefined);
	expect((await stored('counter')).display_name).equals('The Counter', 'undone');

	await page.getByRole('searchbox', { name: 'Search models' }).fill('');
	await page.getByRole('button', { name: 'All off' }).click();
	await until('all to be off', 10_000, async () =>
		(await api(page, all, 'GET', `/providers/${id}`)).models.every((model) => !model.enabled)
	);
	await accessible(page, 'many models');
	await api(page, all, 'DELETE', `/providers/${id}`);
}

/** A model whose knobs only its provider knows: an admin describes them, and people turn them. */
const ownParameters = (view) => async (all) => {
	const page = await enter(all, views[view]);
	const slug = `knobs-${view.replace(/\W/g, '').toLowerCase()}`;
	const { id } = await provider(all, page, slug);
	const model = { name: 'echo', display_name: 'Knobby', abilities: ['reasoning'] };
	await api(page, all, 'PUT', `/providers/${id}/models`, { models: [model] });
	await page.goto(`${all.stoa.origin}/settings/providers/${id}`);
	await page.getByRole('button', { name: 'Edit Knobby', exact: true }).click();
	const dialog = page.getByRole('dialog', { name: 'Edit echo' });
	const schema = dialog.getByLabel('Own parameters');
	await schema.fill('{ "type": ');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await dialog.getByText('This is no JSON object.').waitFor();
	const parameters = {
		type: 'object',
		properties: {
			top_k: { type: 'integer', title: 'Choices', minimum: 1, maximum: 40, default: 10 },
			'options.style': { type: 'string', title: 'Style', enum: ['plain', 'rich'] },
			search: { type: 'boolean', title: 'Search the web' }
		}
	};
	await schema.fill(JSON.stringify(parameters, null, 2));
	await accessible(page, `parameters of a model, ${view}`);
	await picture(page, `own parameters described ${view}`);
	await dialog.getByRole('button', { name: 'Save' }).click();
	await until('the schema to be stored', 10_000, async () =>
		Boolean((await api(page, all, 'GET', `/providers/${id}`)).models[0].parameters)
	);
	const made = await api(page, all, 'POST', '/conversations', {});
	await api(page, all, 'PATCH', `/conversations/${made.id}`, { model: `${slug}/echo` });
	await page.goto(`${all.stoa.origin}/c/${made.id}`);
	if (!(await page.getByRole('switch', { name: 'Temperature' }).count())) {
		await page.getByRole('button', { name: 'Parameters' }).click();
	}
	await page.getByRole('switch', { name: 'Choices' }).click();
	await page.getByRole('slider', { name: 'Choices' }).press('ArrowRight');
	await page.getByLabel('Style').selectOption('rich');
	await page.getByLabel('Search the web').selectOption('true');
	await page.getByLabel('Thinking').first().selectOption('budget');
	await page.getByRole('slider', { name: 'Thinking, at most' }).press('ArrowLeft');
	await accessible(page, `own parameters set, ${view}`);
	await picture(page, `own parameters set ${view}`);
	const kept = async () => (await api(page, all, 'GET', `/conversations/${made.id}`)).parameters;
	const wanted = { think: { budget: 4096 }, own: { top_k: 11, 'options.style': 'rich', search: true } };
	await until('the values to be kept', 10_000, async () => {
		const { think, own } = await kept();
		return think?.budget === wanted.think.budget && Object.keys(own ?? {}).length === 3;
	});
	expect((await kept()).own).equals(wanted.own);
	await api(page, all, 'DELETE', `/providers/${id}`);
};

async function standIn(all) {
	const page = await enter(all, views['390 px, light']);
	const { id } = await provider(all, page, 'broken', '/__scenario/status=500');
	const model = {
		name: 'echo',
		display_name: 'Broken Echo',
		prices: { input: 1_000_000, output: 2_000_000 },
		stand_in: 'mock/echo'
	};
	await api(page, all, 'PUT', `/providers/${id}/models`, { models: [model] });
	const { id: conversation } = await api(page, all, 'POST', '/conversations', {});
	const parts = [{ type: 'text', text: 'Is anybody there?' }];
	await api(page, all, 'POST', `/conversations/${conversation}/messages`, { parts, model: 'broken/echo' });
	await page.goto(`${all.stoa.origin}/c/${conversation}`);
	await page.getByText('Broken Echo could not answer; echo stood in for it.').waitFor();
	await accessible(page, 'an answer of a stand-in');
	await picture(page, 'stand-in');
	// The one that was asked is asked again, and so it is by whoever talks on.
	const kept = (await api(page, all, 'GET', `/conversations/${conversation}/messages`)).items.at(-1);
	expect([kept.model, kept.stand_in]).equals(['broken/echo', 'mock/echo']);
	await api(page, all, 'DELETE', `/providers/${id}`);
}

async function cost(all) {
	const page = await enter(all, views['1440 px, light']);
	const { id } = await provider(all, page, 'priced');
	const model = { name: 'echo', prices: { input: 1_000_000_000, output: 2_000_000_000 } };
	await api(page, all, 'PUT', `/providers/${id}/models`, { models: [model] });
	const { id: conversation } = await api(page, all, 'POST', '/conversations', {});
	const parts = [{ type: 'text', text: 'What does this cost?' }];
	await api(page, all, 'POST', `/conversations/${conversation}/messages`, { parts, model: 'priced/echo' });
	await page.goto(`${all.stoa.origin}/c/${conversation}`);
	await complete(page);
	const { usage } = (await api(page, all, 'GET', `/conversations/${conversation}/messages`)).items.at(-1);
	expect(usage.cost).equals(
		usage.prompt_tokens * 1e6 + usage.completion_tokens * 2e6,
		'every token is paid for'
	);
	await lastAnswer(page)
		.getByRole('button', { name: /tokens/ })
		.click();
	await page.getByText('Cost', { exact: true }).waitFor();
	await page.getByText(/^(US)?\$0\.\d+$/).waitFor();
	await picture(page, 'cost of an answer');
	await api(page, all, 'DELETE', `/providers/${id}`);
}

async function switchOff(all) {
	const page = await enter(all, views['1440 px, light']);
	const { id } = await provider(all, page, 'sleeper');
	await api(page, all, 'POST', `/providers/${id}/models/fetch`);
	const offered = async () =>
		(await api(page, all, 'GET', '/models')).items.some((model) => model.id === 'sleeper/echo');
	expect(await offered()).equals(true);
	await page.goto(`${all.stoa.origin}/settings/providers`);
	await page.getByRole('switch', { name: 'Provider sleeper switched on' }).click();
	await until('its models to be off', 10_000, async () => !(await offered()));
	await page.getByRole('link', { name: 'Provider sleeper' }).click();
	await page.getByRole('switch', { name: 'Enabled', checked: false }).click();
	await until('its models to be back', 10_000, offered);
	await api(page, all, 'DELETE', `/providers/${id}`);
}

async function network(all) {
	const page = await enter(all, views['390 px, dark'], '/settings/network');
	await page.getByRole('button', { name: 'Allow an address' }).click();
	const dialog = page.getByRole('dialog', { name: 'Allow an address' });
	const field = dialog.getByLabel('Host and port');
	const allow = dialog.getByRole('button', { name: 'Allow', exact: true });
	for (const [text, fault] of [
		['', 'Write a host and a port.'],
		['http://10.1.2.3:80/v1', 'Only host and port'],
		['10.1.2.3', 'Add the port'],
		['10.1.2.3:99999', 'Add the port']
	]) {
		await field.fill(text);
		await allow.click();
		await dialog.getByText(fault).waitFor();
	}
	await accessible(page, 'an address that cannot be allowed');
	await field.fill('10.1.2.3:8000');
	await allow.click();
	await page.getByRole('rowheader', { name: '10.1.2.3:8000' }).waitFor();
	await accessible(page, 'allowed addresses on a phone');
	await picture(page, 'network access phone');
	await page.getByRole('button', { name: 'Remove 10.1.2.3:8000' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
	await until(
		'the row to go',
		10_000,
		async () => (await page.getByRole('rowheader', { name: '10.1.2.3:8000' }).count()) === 0
	);
}

export const providerTests = [
	{ name: 'settings: a provider is added and deleted on a phone', run: addOnPhone },
	{ name: 'settings: the key of a provider is stored sealed, replaced and removed', run: keyIsSealed },
	{ name: 'settings: the connectivity check shows the real error', run: realErrors },
	{ name: 'settings: models are fetched, searched, edited, switched and brought back', run: models },
	...['1440 px, dark', '390 px, light'].map((view) => ({
		name: `settings: the parameters of one model are described and set, ${view}`,
		run: ownParameters(view)
	})),
	{ name: 'settings: another model stands in for one that fails', run: standIn },
	{ name: 'settings: an answer tells what it has cost', run: cost },
	{ name: 'settings: a provider is switched off and on', run: switchOff },
	{ name: 'settings: private addresses are allowed and removed', run: network }
];
