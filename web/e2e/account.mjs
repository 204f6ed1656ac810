// Set-up, providers, members.
import { expect } from './expect.mjs';
import { owner, until, views } from './harness.mjs';
import { accessible, api, composer, enter, open, picture } from './page.mjs';

async function makeOwner(all) {
	const page = await open(all, views['1440 px, light']);
	await page.goto(all.stoa.origin);
	await page.waitForURL('**/setup');
	await accessible(page, 'set-up');
	await picture(page, 'set-up');
	await page.getByLabel('Name', { exact: true }).fill(owner.name);
	await page.getByLabel('E-mail').fill(owner.email);
	await page.getByLabel('Password', { exact: true }).fill(owner.password);
	await page.getByRole('button', { name: 'Create account and start' }).click();
	await page.waitForURL(`${all.stoa.origin}/`);
	await composer(page).waitFor();
	await accessible(page, 'the first page');
	await picture(page, 'first page');
}

async function addMock(all) {
	const page = await enter(all, views['1440 px, light'], '/settings/providers');
	await page.getByRole('button', { name: 'Add provider' }).first().click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Name', { exact: true }).fill('Mock');
	await dialog.getByLabel('Base URL').fill(`${all.mockOrigin}/v1`);
	await dialog.getByRole('button', { name: 'Add provider' }).click();
	await page.waitForURL('**/settings/providers/*');
	// The mock listens on this machine: the refusal says so and offers to allow exactly this address.
	await page.getByRole('button', { name: 'Check connection' }).click();
	const allow = page.getByRole('button', { name: `Allow ${new URL(all.mockOrigin).host}` });
	await allow.click();
	await until('the offer to go', 20_000, async () => (await allow.count()) === 0);
	await page.getByRole('button', { name: 'Fetch models' }).first().click();
	await page.getByText('mock/markdown').first().waitFor();
	await page.getByRole('button', { name: 'Check connection' }).click();
	await page.getByText(/answered in/).waitFor();
	await accessible(page, 'a provider');
	await picture(page, 'provider');
	const { items } = await api(page, all, 'GET', '/models');
	expect(items.map((model) => model.id)).contains('mock/counter');
}

async function signInKeepsThePlace(all) {
	const page = await open(all, views['390 px, light']);
	await page.goto(`${all.stoa.origin}/settings/profile`);
	await page.waitForURL('**/sign-in?next=*');
	await accessible(page, 'sign-in');
	await picture(page, 'sign-in phone');
	await page.getByLabel('E-mail').fill(owner.email);
	await page.getByLabel('Password', { exact: true }).fill('not the password');
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.getByRole('alert').first().waitFor();
	await page.getByLabel('Password', { exact: true }).fill(owner.password);
	await page.getByRole('button', { name: 'Sign in' }).click();
	await page.waitForURL('**/settings/profile');
}

async function memberSeesOnlyTheirOwn(all) {
	const member = { name: 'Max Member', email: 'max@example.com', password: 'another long walk home' };
	const admin = await enter(all);
	await api(admin, all, 'POST', '/users', { ...member, role: 'member' });
	const mine = await api(admin, all, 'POST', '/conversations', { title: 'The secret of the owner' });
	const page = await enter(all, views['1440 px, dark'], `/c/${mine.id}`, member);
	await page.getByText('This conversation does not exist').waitFor();
	expect(await page.getByText('The secret of the owner').count()).equals(0);
	await accessible(page, 'a conversation that is not there');
	await page.goto(`${all.stoa.origin}/settings/providers`);
	await page.getByText('This page is for owners and administrators').first().waitFor();
}

async function everySettingsPage(all) {
	for (const [view, options] of Object.entries(views)) {
		const page = await enter(all, options, '/settings/profile');
		for (const name of [
			'profile',
			'sessions',
			'api-keys',
			'providers',
			'local-models',
			'members',
			'network'
		]) {
			await page.goto(`${all.stoa.origin}/settings/${name}`);
			await page.getByRole('heading', { level: 1 }).waitFor();
			await until(
				'the skeletons to be gone',
				10_000,
				async () => (await page.getByText('Loading').count()) === 0
			);
			await accessible(page, `${name}, ${view}`);
			await picture(page, `settings ${name} ${view}`);
		}
		await page.context().close();
	}
}

export const accountTests = [
	{ name: 'the owner is made on the set-up page', run: makeOwner, setUp: true },
	{ name: 'a provider is added, allowed, checked, and its models are fetched', run: addMock, setUp: true },
	{ name: 'signing in leads back to the place', run: signInKeepsThePlace },
	{ name: 'a member sees nothing of the owner', run: memberSeesOnlyTheirOwn },
	{ name: 'every settings page is accessible in every view', run: everySettingsPage }
];
