// Profile, sessions and API keys, as the person they belong to.
import { expect } from '../expect.mjs';
import { until, views } from '../harness.mjs';
import { accessible, api, enter, open, picture } from '../page.mjs';
import { inEveryView, person, tableRow } from './words.mjs';

async function rename(all) {
	const somebody = await person(all, 'Rene');
	const page = await enter(all, views['390 px, light'], '/settings/profile', somebody);
	const save = page.getByRole('button', { name: 'Save name' });
	expect(await save.isDisabled()).equals(true, 'there is nothing to save yet');
	await page.getByLabel('Name', { exact: true }).fill('Rene Renamed');
	await save.click();
	await page.getByText('Saved', { exact: true }).first().waitFor();
	await page.goto(`${all.stoa.origin}/settings`);
	await page.getByText('Rene Renamed').waitFor();
	await accessible(page, 'the first page of settings on a phone');
	await picture(page, 'settings first page phone');
}

async function changePassword(all) {
	const somebody = await person(all, 'Paula');
	const page = await enter(all, views['1440 px, light'], '/settings/profile', somebody);
	const elsewhere = await enter(all, views['1440 px, light'], '/settings/profile', somebody);
	const fresh = 'seventeen grey herons';
	const submit = page.getByRole('button', { name: 'Change password' });

	await submit.click();
	await page.getByText('Current password: please fill this in.').waitFor();
	await page.getByLabel('Current password', { exact: true }).fill('not the password');
	await page.getByLabel('New password', { exact: true }).fill('paula@example.com');
	await page.getByText('Weak').first().waitFor();
	await page.getByLabel('New password', { exact: true }).fill(fresh);
	await page.getByText('Strong.').waitFor();
	await submit.click();
	await page.getByText('The current password is wrong').waitFor();
	await accessible(page, 'a wrong current password');
	await page.getByLabel('Current password', { exact: true }).fill(somebody.password);
	await submit.click();
	await page.getByText('Password changed. All other sessions have ended.').first().waitFor();

	await elsewhere.goto(`${all.stoa.origin}/settings/sessions`);
	await elsewhere.waitForURL('**/sign-in?next=*');
	await elsewhere.getByLabel('E-mail').fill(somebody.email);
	await elsewhere.getByLabel('Password', { exact: true }).fill(fresh);
	await elsewhere.getByRole('button', { name: 'Sign in' }).click();
	await elsewhere.waitForURL('**/settings/sessions');
}

async function languageAndTheme(all) {
	const somebody = await person(all, 'Lin');
	const page = await enter(all, views['1440 px, light'], '/settings/profile', somebody);
	const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
	await page.getByRole('radio', { name: 'System' }).focus();
	await page.keyboard.press('ArrowLeft');
	expect(await theme()).equals('dark');
	await page.reload();
	await page.getByRole('radio', { name: 'Dark', checked: true }).waitFor();
	expect(await theme()).equals('dark', 'after loading again');

	await page.getByText('简体中文').click();
	await page.getByRole('heading', { level: 1, name: '个人资料' }).waitFor();
	expect(await page.evaluate(() => document.documentElement.lang)).equals('zh-Hans');
	for (const [path, heading] of [
		['profile', '个人资料'],
		['sessions', '登录会话'],
		['api-keys', 'API 密钥'],
		['local-models', '本地模型']
	]) {
		await page.goto(`${all.stoa.origin}/settings/${path}`);
		await page.getByRole('heading', { level: 1, name: heading }).waitFor();
		await accessible(page, `${path} in Chinese`);
		await picture(page, `settings ${path} chinese`);
	}
	await page.goto(`${all.stoa.origin}/settings/profile`);
	await page.getByText('English').click();
	await page.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();
}

const looks = (view) => async (all) => {
	const page = await enter(all, views[view], '/settings/profile');
	const style = (name) =>
		page.evaluate((name) => getComputedStyle(document.documentElement).getPropertyValue(name), name);
	const size = () =>
		page.evaluate(() => Number.parseFloat(getComputedStyle(document.querySelector('h1')).fontSize));
	await page.getByRole('radio', { name: 'Blue', checked: true }).waitFor();
	const [accent, ordinary] = [await style('--accent'), await size()];
	await page.getByRole('radio', { name: 'Plum' }).check();
	await page.getByText('Largest', { exact: true }).click();
	await page.getByRole('switch', { name: 'More contrast' }).click();
	await page.getByRole('switch', { name: 'Less motion' }).click();
	expect((await size()) > ordinary * 1.3).equals(true, 'the text has grown');
	await page.reload();
	await page.getByRole('radio', { name: 'Plum', checked: true }).waitFor();
	await page.getByRole('switch', { name: 'Less motion', checked: true }).waitFor();
	expect((await style('--accent')) === accent).equals(false, 'the colour is kept');
	expect((await size()) > ordinary * 1.3).equals(true, 'and the size');
	await accessible(page, `the largest text, ${view}`);
	await picture(page, `look ${view}`);
	const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	expect(tooWide).atMost(0, 'pixels to scroll sideways');
	await page.getByRole('radio', { name: 'Blue' }).check();
	expect(await style('--accent')).equals(accent, 'and can be taken back');
	await page.context().close();
};

async function sessions(all) {
	const somebody = await person(all, 'Sam');
	const page = await enter(all, views['1440 px, light'], '/settings/sessions', somebody);
	const phone = await enter(
		all,
		{
			...views['390 px, dark'],
			userAgent:
				'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1'
		},
		'/settings/sessions',
		somebody
	);
	await phone.getByText('Safari on iOS').waitFor();
	await accessible(phone, 'sessions on a phone');
	await page.reload();
	await tableRow(page, 'This one').getByText('Chrome on Linux').waitFor();
	await page.getByRole('button', { name: 'End session: Safari on iOS' }).click();
	const dialog = page.getByRole('alertdialog', { name: 'End this session?' });
	await accessible(page, 'ending a session');
	await dialog.getByRole('button', { name: 'End session' }).click();
	await until('the row to go', 10_000, async () => (await page.getByText('Safari on iOS').count()) === 0);
	await phone.goto(`${all.stoa.origin}/settings/profile`);
	await phone.waitForURL('**/sign-in?next=*');

	await page.getByRole('button', { name: 'Sign out: Chrome on Linux' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Sign out' }).click();
	await page.waitForURL('**/sign-in');
}

async function keys(all) {
	const somebody = await person(all, 'Kim');
	const page = await enter(all, views['390 px, light'], '/settings/api-keys', somebody);
	await page.getByText('No keys yet').waitFor();
	await accessible(page, 'no keys');
	await page.getByRole('button', { name: 'New key' }).click();
	const dialog = page.getByRole('dialog');
	await accessible(page, 'a new key');
	await dialog.getByLabel('Name', { exact: true }).fill('nightly report');
	await dialog.getByLabel('Use models').uncheck();
	await dialog.getByLabel('Expires').selectOption('date');
	await dialog.getByLabel('Last day').fill('2020-01-01');
	await dialog.getByRole('button', { name: 'Create key' }).click();
	await dialog.getByText('Choose at least one right.').waitFor();
	await dialog.getByText('Choose a day that is not over yet.').waitFor();
	await dialog.getByLabel('Use models').check();
	await dialog.getByLabel('Expires').selectOption('30');
	await dialog.getByRole('button', { name: 'Create key' }).click();
	await page.getByRole('dialog', { name: 'Copy the key now' }).waitFor();
	await accessible(page, 'the key, once');
	await picture(page, 'a new api key phone');
	const example = await dialog.getByLabel('A first request').innerText();
	const key = /Bearer (\S+)'/.exec(example)?.[1];
	expect(example).contains(`curl ${all.stoa.origin}/v1/chat/completions`);
	const ask = () => fetch(`${all.stoa.origin}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
	expect((await ask()).status).equals(200, 'the key works');
	const account = await fetch(`${all.stoa.origin}/api/v1/me`, {
		headers: { authorization: `Bearer ${key}` }
	});
	expect(account.status).equals(403, 'the key may only use models');

	// Neither Escape nor a press beside it throws away what is shown only once.
	await page.keyboard.press('Escape');
	await dialog.getByRole('button', { name: 'I have copied it' }).click();
	await page.getByRole('rowheader', { name: 'nightly report' }).waitFor();
	await page.reload();
	await page.getByRole('button', { name: 'Delete key “nightly report”' }).click();
	const sure = page.getByRole('alertdialog', { name: 'Delete the key “nightly report”?' });
	await sure.getByRole('button', { name: 'Delete key' }).click();
	await page.getByText('No keys yet').waitFor();
	expect((await ask()).status).equals(401, 'the key is refused from this moment on');
}

async function tooManyAttempts(all) {
	const somebody = await person(all, 'Theo');
	const page = await open(all, views['390 px, light']);
	await page.goto(`${all.stoa.origin}/sign-in`);
	await page.getByLabel('E-mail').fill(somebody.email);
	await page.getByLabel('Password', { exact: true }).fill('wrong, and again');
	const submit = page.getByRole('button', { name: 'Sign in' });
	await submit.click();
	await page.getByText('E-mail address or password is wrong').waitFor();
	expect(await page.getByLabel('Password', { exact: true }).inputValue()).equals(
		'',
		'the wrong password is gone'
	);
	await until('the server to have enough', 20_000, async () => {
		const answer = await page.request.post(`${all.stoa.origin}/api/v1/session`, {
			data: { email: somebody.email, password: 'wrong, and again' },
			headers: { origin: all.stoa.origin }
		});
		return answer.status() === 429;
	});
	await page.getByLabel('Password', { exact: true }).fill(somebody.password);
	await submit.click();
	await page.getByText('Too many attempts').waitFor();
	await page.getByText(/You can try again in \d+ (second|minute)/).waitFor();
	expect(await submit.isDisabled()).equals(true, 'until the wait is over');
	await accessible(page, 'too many attempts');
	await picture(page, 'too many attempts phone');
}

async function unreachable(all) {
	const somebody = await person(all, 'Uma');
	const page = await enter(all, views['1440 px, light'], '/settings/profile', somebody);
	await page.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();
	let broken = true;
	await page.route('**/api/v1/api-keys', (route) =>
		broken
			? route.fulfill({
					status: 503,
					contentType: 'application/problem+json',
					body: JSON.stringify({
						type: 'urn:stoa:problem:database_unavailable',
						title: 'Service Unavailable',
						status: 503,
						code: 'database_unavailable',
						detail: 'The database cannot be reached now.',
						request_id: 'request-of-the-test'
					})
				})
			: route.continue()
	);
	await page.getByRole('link', { name: 'API keys' }).click();
	await page.getByText('request-of-the-test').waitFor();
	await accessible(page, 'a page that could not load');
	broken = false;
	await page.getByRole('button', { name: 'Try again' }).click();
	await page.getByText('No keys yet').waitFor();
}

async function signOutEverywhere(all) {
	const somebody = await person(all, 'Otto');
	const page = await enter(all, views['1440 px, dark'], '/settings/profile', somebody);
	await page.getByRole('button', { name: 'Sign out' }).click();
	await page.waitForURL('**/sign-in');
	const answer = await page.request.get(`${all.stoa.origin}/api/v1/me`);
	expect(answer.status()).equals(401);
}

async function languageBeforeSigningIn(all) {
	await inEveryView(all, async (page, view) => {
		await page.goto(`${all.stoa.origin}/sign-in`);
		await page.getByRole('button', { name: 'English' }).click();
		await accessible(page, `the menu of languages, ${view}`);
		await page.getByRole('menuitemradio', { name: '简体中文' }).click();
		await page.getByRole('heading', { level: 1, name: '欢迎回来' }).waitFor();
		await accessible(page, `sign-in in Chinese, ${view}`);
		await picture(page, `sign-in chinese ${view}`);
	});
}

async function ownRights(all) {
	const somebody = await person(all, 'Mia');
	const page = await enter(all, views['390 px, dark'], '/settings', somebody);
	await page.getByRole('link', { name: 'Sessions' }).waitFor();
	expect(await page.getByRole('link', { name: 'Members' }).count()).equals(0);
	for (const path of ['members', 'network', 'providers', 'providers/0190c0de-0000-7000-8000-000000000001']) {
		await page.goto(`${all.stoa.origin}/settings/${path}`);
		await page.getByText('This page is for owners and administrators').waitFor();
		await accessible(page, `${path} for a member`);
	}
	const refused = await api(page, all, 'GET', '/users').catch((error) => error.message);
	expect(refused).contains('403');
}

export const profileTests = [
	{ name: 'settings: the own name is changed', run: rename },
	{ name: 'settings: the own password is changed, and other sessions end', run: changePassword },
	{ name: 'settings: language and theme are kept', run: languageAndTheme },
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `settings: colour, size, contrast and motion are kept, ${view}`,
		run: looks(view)
	})),
	{ name: 'settings: sessions are listed and ended', run: sessions },
	{ name: 'settings: an API key is made, used, and deleted', run: keys },
	{ name: 'settings: after too many attempts the page says how long to wait', run: tooManyAttempts },
	{ name: 'settings: a page that could not load says so and tries again', run: unreachable },
	{ name: 'settings: signing out ends the session', run: signOutEverywhere },
	{ name: 'settings: the language can be chosen before signing in', run: languageBeforeSigningIn },
	{ name: 'settings: a member is told kindly what is not theirs', run: ownRights }
];
