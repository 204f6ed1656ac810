// What a function may do on its owner's account, and what it did: models, its log, what it took.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { accessible, api, enter, picture } from './page.mjs';

const LATE = 30_000;
const tab = (page, name) => page.getByRole('tab', { name });

/** A function of a template, made without clicking. */
async function made(page, all, name, template, environment = {}) {
	const { id, settings, revision } = await api(page, all, 'POST', '/functions', { name, template });
	Object.assign(settings.environment, environment);
	await api(page, all, 'PATCH', `/functions/${id}`, { settings, revision });
	return id;
}

/** What it answers, asked as a model. */
async function asked(page, all, id, text) {
	const body = JSON.stringify({ messages: [{ role: 'user', content: text }] });
	const answer = await api(page, all, 'POST', `/functions/${id}/try`, {
		target: 'latest',
		method: 'POST',
		path: '/v1/chat/completions',
		body
	});
	return answer.choices[0].message.content;
}

const models = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const { items } = await api(page, all, 'GET', '/models');
	const model = items.find(({ name }) => name.startsWith('counter'));
	const id = await made(page, all, `asker-${view.slice(0, 3).trim()}`, 'python-model-agent', {
		MODEL: model.id
	});
	const answered = await asked(page, all, id, 'hi');
	expect(/^0 1 2/.test(answered)).equals(true, `with no key pasted anywhere: ${answered}`);
	await page.goto(`${all.stoa.origin}/functions/${id}`);
	await tab(page, 'Settings').click();
	const block = page.getByRole('group', { name: 'Models', exact: true });
	await block.getByRole('radio', { name: 'All' }).waitFor({ state: 'attached' });
	await block.getByRole('radio', { name: 'Chosen ones' }).check({ force: true });
	const other = items.find((one) => one.id !== model.id && !one.in_browser);
	await page
		.getByRole('checkbox', { name: other.display_name ?? other.name })
		.first()
		.check();
	await until('the choice to be kept', LATE, async () => {
		const { models } = await api(page, all, 'GET', `/functions/${id}`);
		return models.only?.length === 1 && models.only[0] === other.id;
	});
	expect((await asked(page, all, id, 'hi')).includes('(404)')).equals(true, 'a model that is not chosen');
	await page.getByRole('group', { name: 'Models that it may call' }).scrollIntoViewIfNeeded();
	await accessible(page, `the models of a function, ${view}`);
	await picture(page, `function models ${view}`);
	await block.getByRole('radio', { name: 'None' }).check({ force: true });
	await until('the change to be kept', LATE, async () => {
		return (await api(page, all, 'GET', `/functions/${id}`)).models === 'off';
	});
	expect((await asked(page, all, id, 'hi')).includes('may not call models yet')).equals(true);
	await api(page, all, 'DELETE', `/functions/${id}`);
};

const tokens = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const id = await made(page, all, `guarded-${view.slice(0, 3).trim()}`, 'python-agent');
	await page.goto(`${all.stoa.origin}/functions/${id}`);
	await tab(page, 'Settings').click();
	const access = page.getByRole('group', { name: 'Access', exact: true });
	await access.getByRole('radio', { name: 'Token', exact: true }).check({ force: true });
	await page.getByRole('button', { name: 'Save tokens' }).click();
	await page.getByText('An address that begins with https://.').waitFor();
	await accessible(page, `tokens that lack everything, ${view}`);
	await page.getByRole('textbox', { name: 'Issuer' }).fill('https://login.example.com/');
	await page.getByRole('textbox', { name: 'Audience' }).fill('guarded');
	await page.getByRole('textbox', { name: /Address of the keys/ }).fill('https://login.example.com/keys');
	await page.getByRole('button', { name: 'Add claim' }).click();
	await page.getByRole('textbox', { name: 'Name of claim 1' }).fill('role');
	await page.getByRole('textbox', { name: 'Value of claim 1' }).fill('tester');
	await page.getByRole('button', { name: 'Save tokens' }).scrollIntoViewIfNeeded();
	await accessible(page, `whose tokens are taken, ${view}`);
	await picture(page, `function tokens ${view}`);
	await page.getByRole('button', { name: 'Save tokens' }).click();
	await until('the rules to be kept', LATE, async () => {
		const { http } = await api(page, all, 'GET', `/functions/${id}`);
		return http.access === 'jwt' && http.jwt.claims.role === 'tester' && http.jwt.audience === 'guarded';
	});
	const key = 'ZdZfFd-r5AEXCRP2AqNmop_O4DTe1Mu-CLvj0ywTp1w';
	await page.getByRole('radio', { name: 'Pasted' }).check({ force: true });
	const pasted = page.getByRole('textbox', { name: 'Keys (JWKS)' });
	await pasted.fill('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}');
	await page.getByRole('button', { name: 'Save tokens' }).click();
	await page.getByText(/None of its keys is a public key|none of its keys is a public key/).waitFor();
	await pasted.fill(JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: key }] }));
	await page.getByRole('button', { name: 'Save tokens' }).click();
	await until('the keys to be kept', LATE, async () => {
		const { http } = await api(page, all, 'GET', `/functions/${id}`);
		return http.jwt.keys.set?.keys[0].x === key;
	});
	await page.reload();
	await tab(page, 'Settings').click();
	await until('the rules to be shown again', LATE, async () =>
		(await page.getByRole('textbox', { name: 'Keys (JWKS)' }).inputValue()).includes(key)
	);
	await access.getByRole('radio', { name: 'Nobody' }).check({ force: true });
	await until('nobody to be let in from outside', LATE, async () => {
		return (await api(page, all, 'GET', `/functions/${id}`)).http.access === 'off';
	});
	const inside = page.getByRole('switch', { name: 'Other functions of mine' });
	await inside.click();
	await page.getByText(/^http:\/\/stoa\.internal\/fn\/guarded-/).waitFor();
	await until('other functions to be let in', LATE, async () => {
		const { http } = await api(page, all, 'GET', `/functions/${id}`);
		return http.inside && http.access === 'off';
	});
	await inside.scrollIntoViewIfNeeded();
	await accessible(page, `other functions that call it, ${view}`);
	await picture(page, `function inside ${view}`);
	await api(page, all, 'DELETE', `/functions/${id}`);
};

const logs = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const id = await made(page, all, `logged-${view.slice(0, 3).trim()}`, 'python-agent');
	await asked(page, all, id, 'one');
	await asked(page, all, id, 'two');
	await page.goto(`${all.stoa.origin}/functions/${id}`);
	await tab(page, 'Logs').click();
	const log = page.getByRole('log', { name: 'Logs' });
	const calls = log.getByRole('button', { name: 'Show what belongs to POST /v1/chat/completions' });
	await until('both calls to be shown', LATE, async () => (await calls.count()) === 2);
	await accessible(page, `calls in the log of a function, ${view}`);
	await picture(page, `function calls ${view}`);
	await calls.first().click();
	await until('one call alone to be shown', LATE, async () => (await calls.count()) === 1);
	await page.getByText(/^Request [0-9a-f]{24}$/).waitFor();
	await accessible(page, `the log of one request, ${view}`);
	await picture(page, `function request ${view}`);
	await page.getByRole('button', { name: 'Show all requests' }).click();
	await until('both calls to be shown again', LATE, async () => (await calls.count()) === 2);
	await api(page, all, 'DELETE', `/functions/${id}`);
};

export const functionAccountTests = [
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `a function calls models with a token of its own, ${view}`,
		run: models(view)
	})),
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `a function lets in by tokens of an issuer, ${view}`,
		run: tokens(view)
	})),
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `the log of a function shows its calls, ${view}`,
		run: logs(view)
	}))
];
