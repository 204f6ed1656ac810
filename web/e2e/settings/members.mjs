// Members, and the keyboard in menus and dialogs.
import { expect } from '../expect.mjs';
import { owner, until, views } from '../harness.mjs';
import { accessible, enter, open, picture } from '../page.mjs';
import { person, tableRow } from './words.mjs';

async function act(page, name, entry) {
	await page.getByRole('button', { name: `Actions for ${name}` }).click();
	await page.getByRole('menuitem', { name: entry }).click();
}

async function addAndHandOver(all) {
	const page = await enter(all, views['390 px, light'], '/settings/members');
	await page.getByRole('button', { name: 'Add member' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Name', { exact: true }).fill('Hannah Handover');
	await dialog.getByLabel('E-mail').fill(owner.email);
	const field = dialog.getByLabel('Initial password', { exact: true });
	const first = await field.inputValue();
	await dialog.getByRole('button', { name: 'New random one' }).click();
	const password = await field.inputValue();
	expect(password === first).equals(false, 'another password');
	await accessible(page, 'adding a member');
	await picture(page, 'add member phone');
	await dialog.getByRole('button', { name: 'Add member' }).click();
	await dialog.getByText('Somebody has this e-mail address already').waitFor();
	await dialog.getByLabel('E-mail').fill('hannah@example.com');
	await dialog.getByRole('button', { name: 'Add member' }).click();
	await page.getByRole('dialog', { name: 'Hannah Handover can sign in' }).waitFor();
	await accessible(page, 'what to hand over');
	await dialog.getByText(password).waitFor();
	await dialog.getByRole('button', { name: 'Done' }).click();
	await tableRow(page, 'hannah@example.com').getByText('Never').waitFor();

	const hers = await open(all, views['390 px, light']);
	await hers.goto(`${all.stoa.origin}/sign-in`);
	await hers.getByLabel('E-mail').fill('hannah@example.com');
	await hers.getByLabel('Password', { exact: true }).fill(password);
	await hers.getByRole('button', { name: 'Sign in' }).click();
	await hers.waitForURL(`${all.stoa.origin}/`);
}

async function changeAndDisable(all) {
	const somebody = await person(all, 'Dora');
	const page = await enter(all, views['1440 px, light'], '/settings/members');
	const theirs = await enter(all, views['1440 px, light'], '/settings/profile', somebody);
	await theirs.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();

	await act(page, somebody.name, 'Edit…');
	const dialog = page.getByRole('dialog', { name: `Edit ${somebody.name}` });
	await dialog.getByLabel('Role').selectOption('admin');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await tableRow(page, somebody.email).getByText('Administrator').waitFor();
	await theirs.goto(`${all.stoa.origin}/settings/members`);
	await theirs.getByRole('button', { name: 'Add member' }).waitFor();
	await theirs.getByRole('button', { name: `Actions for ${owner.name}` }).click();
	const reason = theirs.getByRole('menuitem', { name: /Disable access/ });
	expect(await reason.getAttribute('aria-disabled')).equals('true', 'an administrator and the owner');
	await accessible(theirs, 'the menu of an owner as an administrator sees it');
	await theirs.keyboard.press('Escape');

	await act(page, somebody.name, 'Set new password…');
	await page.getByRole('dialog').getByRole('button', { name: 'Set password' }).click();
	await page.getByRole('dialog', { name: 'New password set' }).getByRole('button', { name: 'Done' }).click();
	await theirs.goto(`${all.stoa.origin}/settings/profile`);
	await theirs.waitForURL('**/sign-in?next=*');

	await act(page, somebody.name, 'Disable access');
	const sure = page.getByRole('alertdialog', { name: `Disable ${somebody.name}?` });
	await accessible(page, 'disabling a member');
	await sure.getByRole('button', { name: 'Disable access' }).click();
	await tableRow(page, somebody.email).getByText('Disabled').waitFor();
	await accessible(page, 'members with one disabled');
	await picture(page, 'members');
	await act(page, somebody.name, 'Enable access');
	await tableRow(page, somebody.email).getByText('Active').waitFor();
}

async function lastOwner(all) {
	const page = await enter(all, views['1440 px, dark'], '/settings/members');
	await page.getByRole('button', { name: `Actions for ${owner.name}` }).click();
	const disable = page.getByRole('menuitem', { name: /Disable access/ });
	await disable.getByText('The only owner: Stoa needs at least one.').waitFor();
	expect(await disable.getAttribute('aria-disabled')).equals('true');
	await page.getByRole('menuitem', { name: 'Edit…' }).click();
	expect(await page.getByRole('dialog').getByLabel('Role').isDisabled()).equals(true);
	await page.getByRole('dialog').getByText('The only owner: Stoa needs at least one.').waitFor();
	await accessible(page, 'editing the only owner');
}

async function keyboard(all) {
	const somebody = await person(all, 'Kai');
	const page = await enter(all, views['1440 px, light'], '/settings/members');
	const trigger = page.getByRole('button', { name: `Actions for ${somebody.name}` });
	const menus = () => page.getByRole('menu').count();
	const focused = () =>
		page.evaluate(() => {
			const { activeElement: active } = document;
			return active === document.body ? '' : (active.getAttribute('aria-label') ?? active.textContent).trim();
		});
	const focusIs = (words) =>
		until(`the focus on ${words}`, 5_000, async () => (await focused()).startsWith(words));

	await trigger.focus();
	await page.keyboard.press('Enter');
	await focusIs('Edit');
	await page.keyboard.press('ArrowUp');
	await focusIs('Disable access');
	await page.keyboard.press('s');
	await focusIs('Set new password');
	await page.keyboard.press('Home');
	await focusIs('Edit');
	await page.keyboard.press('Escape');
	await focusIs('Actions for');
	expect(await menus()).equals(0, 'closed by Escape');
	await page.keyboard.press('ArrowUp');
	await focusIs('Disable access');
	await page.keyboard.press('Tab');
	await focusIs('Actions for');
	expect(await menus()).equals(0, 'closed by Tab');
	await trigger.click();
	await page.getByRole('menu').waitFor();
	await trigger.click();
	await until('the menu to close', 5_000, async () => (await menus()) === 0);

	await trigger.focus();
	await page.keyboard.press('Enter');
	await focusIs('Edit');
	await page.keyboard.press('Enter');
	const dialog = page.getByRole('dialog', { name: `Edit ${somebody.name}` });
	await dialog.waitFor();
	for (let presses = 0; presses < 12; presses++) {
		await page.keyboard.press('Tab');
		const inside = await page.evaluate(
			() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null
		);
		expect(inside).equals(true, 'the focus stays in the dialog');
	}
	await page.keyboard.press('Escape');
	await focusIs('Actions for');
	expect(await page.locator('style').count()).equals(0, 'style elements, which the policy refuses');
}

export const memberTests = [
	{ name: 'settings: a member is added and signs in with the password handed over', run: addAndHandOver },
	{
		name: 'settings: a member is made administrator, gets a password, is disabled and enabled',
		run: changeAndDisable
	},
	{ name: 'settings: the only owner stays', run: lastOwner },
	{ name: 'settings: menus and dialogs work by keyboard', run: keyboard }
];
