// The page of usage: of oneself, and of everybody for administrators.
import { expect } from '../expect.mjs';
import { until, views } from '../harness.mjs';
import { accessible, api, enter, newcomer, picture } from '../page.mjs';

/** Asks a model by the API and waits for its answer, which is when the call is in the ledger. */
async function ask(page, all, text) {
	const { id } = await api(page, all, 'POST', '/conversations', { title: 'Counted' });
	await api(page, all, 'POST', `/conversations/${id}/messages`, {
		parts: [{ type: 'text', text }],
		model: 'mock/echo'
	});
	await until('the answer', 20_000, async () => {
		const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
		return items.at(-1)?.status === 'complete';
	});
}

const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });

async function ofOneself(all) {
	const page = await newcomer(all, 'Uma', views['1440 px, light'], '/settings/usage');
	await page.getByText('No calls in this time').waitFor();
	await accessible(page, 'usage of nothing');
	await picture(page, 'usage empty');
	expect(await page.getByRole('radio', { name: 'Everybody’s' }).count()).equals(0, 'members see their own');
	const refused = await page.request.get(`${all.stoa.origin}/api/v1/usage?of=everybody`);
	expect(refused.status()).equals(403, 'and are told no more by the API');

	await ask(page, all, 'one two three');
	await page.getByText('7 days', { exact: true }).click();
	await row(page, 'echo').getByText('1', { exact: true }).waitFor();
	await page.getByRole('img', { name: /^Tokens of each of 7 days/ }).waitFor();
	await accessible(page, 'usage by day');
	await page.getByText('A year', { exact: true }).click();
	await page.getByRole('img', { name: 'A map of 365 days, 1 of them with calls' }).waitFor();
	await accessible(page, 'usage of a year');
	await page.context().close();
}

const ofEverybody = (view) => async (all) => {
	const page = await enter(all, views[view]);
	await ask(page, all, 'four five six');
	await page.goto(`${all.stoa.origin}/settings/usage`);
	await page.getByText('Everybody’s', { exact: true }).click();
	await row(page, 'Olive Owner').waitFor();
	await accessible(page, `usage of everybody, ${view}`);
	await picture(page, `usage ${view}`);
	await page.getByText('A year', { exact: true }).click();
	await page.getByRole('img', { name: /^A map of 365 days/ }).waitFor();
	await picture(page, `usage of a year ${view}`);
	await page.evaluate(() => localStorage.setItem('PARAGLIDE_LOCALE', 'zh'));
	await page.reload();
	await page.getByRole('heading', { name: '用量' }).waitFor();
	await page.getByRole('heading', { name: '按模型' }).waitFor();
	await picture(page, `usage chinese ${view}`);
};

export const usageTests = [
	{ name: 'settings: usage of oneself', run: ofOneself },
	...['1440 px, dark', '390 px, light'].map((view) => ({
		name: `settings: usage of everybody, ${view}`,
		run: ofEverybody(view)
	}))
];
