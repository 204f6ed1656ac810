// Conversations shown to others by a link.
import { expect } from './expect.mjs';
import { views } from './harness.mjs';
import { accessible, api, chooseModel, complete, enter, newcomer, open, picture, send } from './page.mjs';

async function linkOf(page) {
	const code = page.getByRole('dialog', { name: 'Here is the link' }).locator('code');
	return code.innerText();
}

const shared = (view) => async (all) => {
	const admin = await enter(all, views[view], '/settings/links');
	const everyone = admin.getByRole('switch', { name: 'Links for everyone' });
	await everyone.waitFor();
	if ((await everyone.getAttribute('aria-checked')) === 'false') await everyone.click();
	await admin.getByRole('switch', { name: 'Links for everyone', checked: true }).waitFor();

	const name = `Zoe${view.replace(/\W/g, '')}`;
	const page = await newcomer(all, name, views[view], '/');
	await chooseModel(page, 'echo');
	await send(page, 'Show **this**');
	await complete(page);
	const path = new URL(page.url()).pathname;
	await api(page, all, 'PATCH', path.replace('/c/', '/conversations/'), {
		title: 'For all to see',
		role: 'Hush'
	});
	await page.reload();
	const menu = page.getByRole('main').getByRole('button', { name: 'Actions for For all to see' }).last();
	await menu.click();
	await page.getByRole('menuitem', { name: 'Share…' }).click();
	await page.getByRole('combobox', { name: 'Who it opens for' }).selectOption('Everyone who has the link');
	await accessible(page, `a new link, ${view}`);
	await picture(page, `share ${view}`);
	await page.getByRole('button', { name: 'Create link' }).click();
	const address = await linkOf(page);
	expect(address.startsWith(`${all.stoa.origin}/share/`)).equals(true, address);
	await accessible(page, `a link, ${view}`);
	await picture(page, `share made ${view}`);
	await page.getByRole('link', { name: 'All links' }).click();
	await page.getByRole('heading', { name: 'Shared links', level: 1 }).waitFor();
	await page.getByRole('row', { name: /For all to see/ }).waitFor();
	await accessible(page, `links, ${view}`);
	await picture(page, `links ${view}`);

	// Nobody in particular reads it, and is asked to sign in for more.
	const nobody = await open(all, views[view]);
	await nobody.goto(address);
	await nobody.getByRole('heading', { name: 'For all to see', level: 1 }).waitFor();
	await nobody.getByText(`Shared by ${name}`).waitFor();
	await nobody.getByRole('article', { name: 'mock/echo' }).locator('strong').waitFor();
	await accessible(nobody, `a shared conversation, ${view}`);
	await picture(nobody, `shared ${view}`);
	await nobody.getByRole('button', { name: 'Sign in to continue' }).click();
	await nobody.getByLabel('Password', { exact: true }).waitFor();
	expect(new URL(nobody.url()).searchParams.get('next')).equals(new URL(address).pathname);

	// Somebody who is signed in goes on with a copy.
	await admin.goto(address);
	await admin.getByRole('button', { name: 'Continue as my copy' }).click();
	await admin.waitForURL(/\/c\//);
	await admin.getByRole('article', { name: 'You wrote' }).getByText('Show **this**').waitFor();

	// Ended, it shows nothing.
	await page.getByRole('button', { name: 'End the link to For all to see' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'End link' }).click();
	await page.getByRole('heading', { name: 'No links yet' }).waitFor();
	await nobody.goto(address);
	await nobody.getByRole('heading', { name: 'There is nothing here' }).waitFor();
	await accessible(nobody, `a link that was ended, ${view}`);
};

export const sharingTests = ['1440 px, light', '390 px, dark'].map((view) => ({
	name: `a conversation is shared by a link, ${view}`,
	run: shared(view)
}));
