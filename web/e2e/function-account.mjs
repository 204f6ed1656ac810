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

/** An administrator who has nothing yet, and a model that costs something. */
async function beginner(all, view) {
	const size = view.slice(0, 4).trim();
	const admin = await enter(all);
	const person = {
		name: `Fay ${size}`,
		email: `fay-${size}@example.com`,
		password: 'seven miles along the coast'
	};
	await api(admin, all, 'POST', '/users', { ...person, role: 'admin' });
	const slug = `paid-${size}`;
	const provider = { name: slug, slug, kind: 'openai', base_url: `${all.mockOrigin}/v1`, enabled: true };
	const { id } = await api(admin, all, 'POST', '/providers', provider);
	const model = { name: 'echo', prices: { input: 1_000_000_000, output: 2_000_000_000 } };
	await api(admin, all, 'PUT', `/providers/${id}/models`, { models: [model] });
	await admin.context().close();
	return { person, size, model: `${slug}/echo`, provider: id };
}

const account = (view) => async (all) => {
	const { person, size, model, provider } = await beginner(all, view);
	const page = await enter(all, views[view], '/functions/account', person);
	await page.getByText('Nothing was called in this time').waitFor();
	await accessible(page, `an account of nothing, ${view}`);
	await picture(page, `function account empty ${view}`);

	const [asker, plain] = [`asks-${size}`, `plain-${size}`];
	const ids = [
		await made(page, all, asker, 'python-model-agent', { MODEL: model }),
		await made(page, all, plain, 'python-agent')
	];
	for (const id of ids) await asked(page, all, id, 'hi');
	const metrics = await until('all of it to be on the account', LATE, async () => {
		const account = await api(page, all, 'GET', '/functions/account?hours=1');
		const { calls, models } = account.totals;
		return calls === 2 && models.calls === 1 ? account : null;
	});
	expect(metrics.functions.map(({ name }) => name)).equals([asker, plain], 'what cost most comes first');
	await page.goto(`${all.stoa.origin}/functions`);
	await page.getByRole('link', { name: 'Account', exact: true }).click();
	const lines = page.getByRole('table', { name: 'By function' });
	const line = (name) => lines.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });
	await line(asker).getByText('$').first().waitFor();
	await line(plain).waitFor();
	await page.getByText('Cost in all', { exact: true }).waitFor();
	await page.getByRole('img', { name: /^Cost in \d+ steps/ }).waitFor();
	await accessible(page, `an account, ${view}`);
	await picture(page, `function account ${view}`);
	await line(plain).scrollIntoViewIfNeeded();
	await picture(page, `function account lines ${view}`);
	await page.getByText('30 days', { exact: true }).click();
	await page.getByRole('img', { name: /^Calls in 18\d steps of time, at most 2 in one/ }).waitFor();
	await line(asker).getByRole('link').click();
	await tab(page, 'Metrics').waitFor();
	await lines.waitFor({ state: 'detached' });
	await page.getByText('Cost of models', { exact: true }).waitFor();
	await accessible(page, `what a function's models cost, ${view}`);
	await picture(page, `function models cost ${view}`);

	await page.goto(`${all.stoa.origin}/settings/usage`);
	await page.getByText('Everybody’s', { exact: true }).click();
	const people = page.getByRole('table', { name: 'Functions, by person' });
	const own = people.getByRole('row').filter({ has: page.getByRole('rowheader', { name: person.name }) });
	await own.getByRole('button', { name: `Functions of ${person.name}` }).click();
	const theirs = page.getByRole('table', { name: `Functions of ${person.name}` });
	await theirs.getByRole('link', { name: asker }).waitFor();
	await theirs.scrollIntoViewIfNeeded();
	await accessible(page, `accounts by person, ${view}`);
	await picture(page, `function accounts ${view}`);

	const { colorScheme, ...screen } = views[view];
	const other = { ...screen, colorScheme: colorScheme === 'dark' ? 'light' : 'dark', locale: 'zh-CN' };
	const zh = await enter(all, other, '/functions/account', person);
	await zh.getByText('总费用', { exact: true }).waitFor();
	await accessible(zh, `an account in Chinese, ${view}`);
	await picture(zh, `function account in Chinese ${view}`);
	await zh.goto(`${all.stoa.origin}/settings/usage`);
	await zh.getByText('所有人的', { exact: true }).click();
	await zh.getByRole('table', { name: '函数用量（按成员）' }).scrollIntoViewIfNeeded();
	await picture(zh, `function accounts in Chinese ${view}`);
	await zh.context().close();

	for (const id of ids) await api(page, all, 'DELETE', `/functions/${id}`);
	await api(page, all, 'DELETE', `/providers/${provider}`);
	const left = await api(page, all, 'GET', '/functions/account');
	expect(left.functions).equals([], 'with a function, its account goes');
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
		name: `functions are on an account with their models, ${view}`,
		run: account(view)
	})),
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `the log of a function shows its calls, ${view}`,
		run: logs(view)
	}))
];
