// Local models: pulled, watched, loaded, used, unloaded and deleted, as an administrator does it.
import { expect } from '../expect.mjs';
import { modelFile, owner, until, views } from '../harness.mjs';
import { accessible, answerText, api, chooseModel, complete, enter, open, picture, send } from '../page.mjs';
import { ModelRegistry } from '../registry.mjs';
import { inEveryView, person, tableRow } from './words.mjs';

const path = '/settings/local-models';

async function pullLoadChatDelete(all) {
	const registry = await ModelRegistry.start(modelFile);
	try {
		const name = `${registry.authority}/library/small:135m`;
		const page = await enter(all, views['1440 px, light'], path);
		const field = page.getByLabel('Name of a model, or words to search for');
		const bar = page.getByRole('progressbar', { name: `Pull of ${name}` });
		const pulled = async () => (await api(page, all, 'GET', '/local-models/pulls')).items[0];

		await field.fill('not a name:');
		await page.getByRole('button', { name: 'Pull', exact: true }).click();
		await page.getByText('Write a name such as qwen3:4b').waitFor();
		await accessible(page, 'a name that is none');

		await field.fill(name);
		await field.press('Enter');
		await page.getByText('This address is private').waitFor();
		await accessible(page, 'a registry with a private address');
		await picture(page, 'local models private registry');
		await page.getByRole('button', { name: `Allow ${registry.authority}` }).click();

		await bar.waitFor();
		await until('half of it', 30_000, async () => Number(await bar.getAttribute('aria-valuenow')) >= 30);
		expect(Number(await bar.getAttribute('aria-valuenow')) < 100).equals(true, 'the rest is held back');
		await page.getByText(/\d+ MB of \d+ MB/).waitFor();
		await accessible(page, 'a pull that runs');
		await picture(page, 'local models pulling');

		// The browser goes away, and the pull does not.
		await page.goto(`${all.stoa.origin}/`);
		expect((await pulled()).state).equals('running');
		await page.goto(all.stoa.origin + path);
		await page.getByRole('button', { name: `Cancel the pull of ${name}` }).click();
		await page.getByText('Cancelled').waitFor();
		const kept = (await pulled()).completed_bytes;
		registry.open();
		await page.getByRole('button', { name: 'Go on' }).click();
		await page.getByRole('rowheader', { name }).waitFor({ timeout: 60_000 });
		expect((await pulled()).completed_bytes >= kept).equals(true, 'nothing is lost');
		await page.getByRole('button', { name: `Dismiss the pull of ${name}` }).click();
		await page.getByRole('heading', { name: 'Pulls' }).waitFor({ state: 'detached' });

		const row = tableRow(page, name);
		await row.getByText('Not loaded').waitFor();
		await page.getByRole('button', { name: `Load ${name}` }).click();
		await row.getByText('Loaded', { exact: true }).waitFor({ timeout: 60_000 });
		await row.getByText(/leaves in/).waitFor();
		await page.getByText(/^Loaded models: [\d.]+ [MG]B$/).waitFor();
		const { models_bytes: held } = await api(page, all, 'GET', '/local-models/machine');
		expect(held > 50_000_000).equals(true, `a loaded model holds memory: ${held}`);
		await accessible(page, 'a loaded model');
		await picture(page, 'local models loaded');

		await page.goto(`${all.stoa.origin}/`);
		await chooseModel(page, name);
		await send(page, 'Say hello.');
		await complete(page);
		expect((await answerText(page)).length > 0).equals(true, 'it answers');

		await page.goto(all.stoa.origin + path);
		await row.getByText(/1 person/).waitFor();
		await page.getByRole('button', { name: `Unload ${name}` }).click();
		// What runs comes to its end first: the title of the conversation, too.
		await row.getByText('Not loaded').waitFor({ timeout: 90_000 });
		await page.getByRole('button', { name: `Delete ${name}` }).click();
		const sure = page.getByRole('alertdialog', { name: `Delete ${name}?` });
		await accessible(page, 'deleting a model');
		await sure.getByRole('button', { name: 'Delete model' }).click();
		await row.waitFor({ state: 'detached' });
		const left = (await api(page, all, 'GET', '/local-models')).items.map((model) => model.name);
		expect(left.includes(name)).equals(false);
	} finally {
		registry.close();
	}
}

async function looks(all) {
	await inEveryView(all, async (page, view) => {
		await page.request.post(`${all.stoa.origin}/api/v1/session`, {
			data: { email: owner.email, password: owner.password },
			headers: { origin: all.stoa.origin }
		});
		await page.goto(all.stoa.origin + path);
		await page.getByRole('heading', { name: 'Get more models' }).waitFor();
		await page.getByRole('button', { name: /^Show all \d+ suggestions$/ }).click();
		await page.getByText('Too large').first().waitFor();
		await accessible(page, `local models, ${view}`);
		await page.getByRole('heading', { name: 'Get more models' }).scrollIntoViewIfNeeded();
		await picture(page, `local models below ${view}`);
		await page.getByRole('button', { name: 'Show fewer suggestions' }).click();
		await page.getByText(/of memory$/).scrollIntoViewIfNeeded();
		await picture(page, `local models ${view}`);
	});
}

async function searchRefused(all) {
	const page = await enter(all, views['390 px, light'], path);
	const field = page.getByLabel('Name of a model, or words to search for');
	const get = page.getByRole('region', { name: 'Get more models' });
	await get.getByRole('button', { name: 'Search', exact: true }).click();
	await page.getByText('Write what to search for.').waitFor();
	await field.fill('small llama');
	await field.press('Enter');
	await page.getByText('This address is private').waitFor();
	await accessible(page, 'a search that may not go out');
}

async function members(all) {
	const somebody = await person(all, 'Mia');
	const page = await open(all, views['1440 px, light']);
	await page.request.post(`${all.stoa.origin}/api/v1/session`, {
		data: { email: somebody.email, password: somebody.password },
		headers: { origin: all.stoa.origin }
	});
	await page.goto(all.stoa.origin + path);
	await page.getByRole('heading', { level: 1, name: 'Local models' }).waitFor();
	if (modelFile) await page.getByRole('rowheader', { name: /smollm2:135m/ }).waitFor();
	else await page.getByText('No local models yet').waitFor();
	expect(await page.getByRole('heading', { name: 'Get more models' }).count()).equals(0);
	await accessible(page, 'local models as a member sees them');
}

const skip = modelFile ? null : 'STOA_TEST_MODEL names no model';

export const localModelTests = [
	{ name: 'settings: a model is pulled, loaded, used, unloaded and deleted', run: pullLoadChatDelete, skip },
	{ name: 'settings: local models on every size and theme', run: looks },
	{ name: 'settings: a search of models that may not go out says what to allow', run: searchRefused },
	{ name: 'settings: members see local models and change none', run: members }
];
