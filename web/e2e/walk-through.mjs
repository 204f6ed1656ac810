// The whole way of somebody who brings an agent of their own and an Ollama: connected, talked to, changed in one window, and put
// behind assistants.
import { startAgent } from './agent.mjs';
import { expect } from './expect.mjs';
import { modelFile, startOllama, until, views } from './harness.mjs';
import {
	accessible,
	answerText,
	api,
	chooseModel,
	complete,
	enter,
	lastAnswer,
	picture,
	says,
	send
} from './page.mjs';

const MODEL = 'house-agent';

async function connect(page, { service, name, slug, url, key }) {
	await page.getByRole('button', { name: 'Add provider' }).first().click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Service').selectOption(service);
	await dialog.getByLabel('Name', { exact: true }).fill(name);
	await dialog.getByLabel('Slug').fill(slug);
	await dialog.getByLabel('Base URL').fill(url);
	if (key) await dialog.getByLabel(/^API key/).fill(key);
	await dialog.getByRole('button', { name: 'Add provider' }).click();
	await page.waitForURL('**/settings/providers/*');
	return page.url().split('/').pop();
}

async function walkThrough(all) {
	const [agent, ollama] = await Promise.all([startAgent(), startOllama()]);
	const page = await enter(all, views['1440 px, light'], '/settings/providers');

	// The agent: any key, its base URL, a model that is named by hand, and a check that says what is missing.
	const agentId = await connect(page, {
		service: 'Another service, or an agent of your own',
		name: 'House agent',
		slug: 'house',
		url: `http://${agent.authority}/v1`,
		key: 'any-key-will-do'
	});
	await page.getByRole('button', { name: 'Add model' }).click();
	await page.getByRole('dialog').getByLabel('Model name').fill(MODEL);
	await page.getByRole('dialog').getByRole('button', { name: 'Add model' }).click();
	await page.getByText(`house/${MODEL}`).waitFor();
	await page.getByRole('button', { name: 'Check connection' }).click();
	await page.getByRole('button', { name: `Allow ${agent.authority}` }).click();
	await page
		.getByText(/answered in/)
		.first()
		.waitFor();
	await accessible(page, 'an agent that is connected');
	await picture(page, 'walk agent');

	// The Ollama: its models are fetched.
	await page.goto(`${all.stoa.origin}/settings/providers`);
	const ollamaId = await connect(page, {
		service: 'Ollama',
		name: 'Basement',
		slug: 'basement',
		url: `http://${ollama.authority}/api`
	});
	await page.getByRole('button', { name: 'Fetch models' }).click();
	await page.getByRole('button', { name: `Allow ${ollama.authority}` }).click();
	await page.getByText('basement/smollm2:135m').waitFor();
	await picture(page, 'walk ollama');

	// One window: first the agent, then the other model.
	await page.goto(all.stoa.origin);
	await chooseModel(page, MODEL);
	await send(page, 'Hello from the street.');
	await complete(page);
	await says(page, `I am ${MODEL}. You said: Hello from the street.`);
	await page.getByRole('button', { name: /^Model: / }).click();
	await page.getByRole('combobox', { name: 'Search models' }).fill('Basement');
	await page.getByRole('option').filter({ hasText: 'smollm2' }).click();
	await send(page, 'What is the capital of France?');
	await complete(page);
	await until('words of a real model', 60_000, async () => (await answerText(page)).length > 3);
	await lastAnswer(page).getByText('Basement').waitFor();
	await picture(page, 'walk one window');

	// A translator with a face, a role and a template, on the agent, so that what it gets can be seen.
	await page.goto(`${all.stoa.origin}/assistants/new`);
	await page.getByRole('button', { name: 'Choose an emoji' }).click();
	await page.getByRole('button', { name: '🌐' }).click();
	await page.getByRole('radio', { name: 'Sky' }).check();
	await page.getByLabel('Name', { exact: true }).fill('Street translator');
	await page.getByLabel('Description').fill('Chinese to English and back.');
	await page.getByLabel('Role', { exact: true }).fill('You translate, and say nothing else.');
	await page.getByLabel('Input template').fill('Translate: {{text}}');
	await page.getByRole('switch', { name: 'A model of its own' }).click();
	await chooseModel(page, MODEL);
	await page.getByRole('button', { name: 'Create assistant' }).click();
	await page.waitForURL('**/assistants');
	await page.getByRole('link', { name: 'New conversation with Street translator' }).click();
	await send(page, '你好');
	await complete(page);
	await says(page, `I am ${MODEL}. You said: Translate: 你好`);
	expect(await lastAnswer(page).getAttribute('aria-label')).equals('Answer of Street translator');
	await picture(page, 'walk translator');

	const { items } = await api(page, all, 'GET', '/assistants');
	const made = items.find(({ name }) => name === 'Street translator');
	await api(page, all, 'DELETE', `/assistants/${made.id}`);
	for (const id of [agentId, ollamaId]) await api(page, all, 'DELETE', `/providers/${id}`);
	agent.close();
	await ollama.close();
}

export const walkThroughTests = [
	{
		name: 'the way from an agent and an Ollama to an assistant',
		run: walkThrough,
		skip: modelFile ? null : 'STOA_TEST_MODEL names no model file'
	}
];
