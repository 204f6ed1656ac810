// The list of conversations, search, keys, language.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	composer,
	enter,
	picture,
	questions,
	send
} from './page.mjs';

async function list(all) {
	const page = await enter(all, views['1440 px, light']);
	await api(page, all, 'POST', '/conversations', { title: 'Alpha plan' });
	await api(page, all, 'POST', '/conversations', { title: 'Beta plan' });
	await page.reload();
	const row = (title) => page.getByRole('link', { name: title, exact: true });
	await row('Alpha plan').waitFor();

	await row('Alpha plan').hover();
	await page.getByRole('button', { name: 'Actions for Alpha plan' }).click();
	await accessible(page, 'the menu of a conversation');
	await page.getByRole('menuitem', { name: 'Rename' }).click();
	await page.getByRole('textbox', { name: 'Title' }).fill('Gamma plan');
	await accessible(page, 'renaming');
	await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
	await row('Gamma plan').waitFor();

	await row('Gamma plan').hover();
	await page.getByRole('button', { name: 'Actions for Gamma plan' }).click();
	await page.getByRole('menuitem', { name: 'Pin' }).click();
	await page.getByRole('heading', { name: 'Pinned' }).waitFor();

	await row('Beta plan').hover();
	await page.getByRole('button', { name: 'Actions for Beta plan' }).click();
	await page.getByRole('menuitem', { name: 'Delete' }).click();
	await until('the row to go', 10_000, async () => (await row('Beta plan').count()) === 0);
	await page.getByRole('button', { name: 'Undo' }).click();
	await row('Beta plan').waitFor();

	await page.keyboard.press('Control+k');
	await page.getByRole('combobox', { name: 'Search in titles' }).fill('gamma');
	await page.getByRole('option', { name: /Gamma plan/ }).waitFor();
	await until('only that one', 10_000, async () => (await page.getByRole('option').count()) === 1);
	await accessible(page, 'searching');
	await picture(page, 'search');
	await page.keyboard.press('Enter');
	await page.waitForURL('**/c/*');
	await page.getByRole('heading', { name: 'Gamma plan' }).waitFor();

	await page.keyboard.press('Alt+n');
	await page.waitForURL(`${all.stoa.origin}/`);
	await page.getByRole('button', { name: 'Hide navigation' }).click();
	expect(await row('Gamma plan').count()).equals(0);
	await accessible(page, 'without navigation');
	await page.getByRole('button', { name: 'Show navigation' }).click();
	await row('Gamma plan').waitFor();
}

async function marks(all) {
	const watcher = await enter(all, views['1440 px, light']);
	const worker = await enter(all, views['1440 px, light']);
	await chooseModel(worker, 'counter');
	await send(worker, 'Work. [[tokens=60 rate=20]]');
	await watcher.getByRole('img', { name: 'Answering' }).first().waitFor();
	await worker.context().close();
	await watcher.getByRole('img', { name: 'Unread' }).first().waitFor();
	await accessible(watcher, 'an unread conversation');
	const link = watcher
		.getByRole('link')
		.filter({ has: watcher.getByRole('img', { name: 'Unread' }) })
		.first();
	await link.click();
	await until(
		'the mark to go',
		10_000,
		async () => (await watcher.getByRole('img', { name: 'Unread' }).count()) === 0
	);
}

async function phone(all) {
	const page = await enter(all, views['390 px, light']);
	const tabs = page.getByRole('navigation', { name: 'Areas' });
	await tabs.getByRole('link', { name: 'Chat' }).click();
	await page.getByRole('heading', { name: 'Conversations', level: 1 }).waitFor();
	await accessible(page, 'the list on a phone');
	await picture(page, 'list phone');
	await tabs.getByRole('link', { name: 'New' }).click();
	await page.getByRole('button', { name: 'Parameters' }).click();
	await page.getByRole('dialog').waitFor();
	await accessible(page, 'the parameters on a phone');
	await picture(page, 'parameters phone');
	await page.keyboard.press('Escape');
	const size = await composer(page).evaluate((field) => getComputedStyle(field).fontSize);
	expect(size).equals('16px', 'phones zoom into smaller fields');
	const small = await page.evaluate(() =>
		[...document.querySelectorAll('button, a[href]')]
			.filter((element) => element.checkVisibility())
			.map((element) => ({
				name: element.textContent.trim() || element.ariaLabel,
				box: element.getBoundingClientRect()
			}))
			.filter(({ box }) => box.bottom > 0 && box.height > 1 && (box.height < 28 || box.width < 28))
			.map(({ name }) => name)
	);
	expect(small).equals([], 'targets too small for a finger');
}

async function keyboard(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'echo');
	await composer(page).fill('One');
	await composer(page).press('Shift+Enter');
	await page.keyboard.type('two');
	await composer(page).press('Enter');
	await complete(page);
	expect(await questions(page).last().getByRole('paragraph').innerText()).equals('One\ntwo');
	await composer(page).press('ArrowUp');
	const editor = page.getByRole('textbox', { name: 'Edit message' });
	await editor.waitFor();
	await editor.press('Escape');
	await until('the editor to close', 5_000, async () => (await editor.count()) === 0);
	// An input method's Enter chooses a candidate and must not send.
	await composer(page).fill('你好');
	await composer(page).evaluate((field) =>
		field.dispatchEvent(
			new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })
		)
	);
	expect(await composer(page).inputValue()).equals('你好');
}

async function chinese(all) {
	const page = await enter(all, { ...views['1440 px, light'], locale: 'zh-CN' });
	await page.getByRole('link', { name: '新对话' }).first().waitFor();
	expect(await page.evaluate(() => document.documentElement.lang)).equals('zh-Hans');
	await accessible(page, 'the first page in Chinese');
	await picture(page, 'first page Chinese');
	const left = await page.evaluate(() =>
		document.body.innerText.match(/\b(New|Search|Message|Today|Settings)\b/g)
	);
	expect(left).equals(null, 'English left in the Chinese page');
}

export const navigationTests = [
	{ name: 'conversations are renamed, pinned, deleted, restored, found', run: list },
	{ name: 'answering and unread marks reach other browsers', run: marks },
	{ name: 'a phone has tabs, sheets and large targets', run: phone },
	{ name: 'keys write, edit and respect input methods', run: keyboard },
	{ name: 'the page speaks Chinese', run: chinese }
];
