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
	await page.getByRole('combobox', { name: 'Search, or say what to do' }).fill('gamma');
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

async function longList(all) {
	const COUNT = 400;
	const admin = await enter(all);
	const person = { name: 'Lena', email: 'lena@example.com', password: 'seven miles along the coast' };
	await api(admin, all, 'POST', '/users', { ...person, role: 'member' });
	await admin.context().close();
	const page = await enter(all, views['1440 px, light'], '/', person);
	for (let made = 0; made < COUNT; made += 20) {
		await Promise.all(
			Array.from({ length: 20 }, (_, index) =>
				api(page, all, 'POST', '/conversations', { title: `Number ${made + index}` })
			)
		);
	}
	const { items } = await api(page, all, 'GET', '/conversations?limit=1');
	await api(page, all, 'PATCH', `/conversations/${items[0].id}`, { pinned: true });
	await page.reload();
	const list = page.getByRole('navigation', { name: 'Conversations' });
	const rows = list.getByRole('listitem');
	await rows.first().waitFor();
	const loaded = () =>
		list.locator('ul').evaluateAll((lists) => lists.reduce((sum, one) => sum + one.offsetHeight, 0) / 36);
	// The end is reached page by page, and the rows in the page stay few.
	const toEnd = () =>
		list
			.locator('.list')
			.last()
			.evaluate((node) => (node.scrollTop = node.scrollHeight));
	await until('the whole list', 30_000, async () => {
		await toEnd();
		expect(await rows.count()).atMost(60, 'rows in the page');
		return (await loaded()) >= COUNT;
	});
	await page.getByRole('heading', { name: 'Pinned' }).waitFor({ state: 'attached' });
	await page.getByRole('heading', { name: 'Today' }).waitFor({ state: 'attached' });
	await until('the last row to say its place', 5_000, async () => {
		await toEnd();
		const last = rows.last();
		return (
			(await last.getAttribute('aria-posinset')) === String(COUNT - 1) &&
			(await last.getAttribute('aria-setsize')) === String(COUNT - 1)
		);
	});
	await accessible(page, 'the end of a long list');

	// Keys go from title to title, to both ends, and the row with the focus is never taken away.
	const here = () => page.evaluate(() => document.activeElement?.closest('li')?.ariaPosInSet ?? '');
	await rows.last().getByRole('link').focus();
	await page.keyboard.press('ArrowUp');
	await until('the row above', 5_000, async () => (await here()) === String(COUNT - 2));
	const title = await page.evaluate(() => document.activeElement.textContent.trim());
	await list
		.locator('.list')
		.last()
		.evaluate((node) => (node.scrollTop = 0));
	await page.waitForTimeout(300);
	expect(await page.evaluate(() => document.activeElement.textContent.trim())).equals(
		title,
		'the focus stays'
	);
	await page.keyboard.press('Home');
	await until('the first row', 5_000, async () => (await here()) === '1');
	await page.keyboard.press('PageDown');
	await until('a page further', 5_000, async () => Number(await here()) > 10);
	await page.keyboard.press('End');
	await until('the last row', 5_000, async () => (await here()) === String(COUNT - 1));
	await page.keyboard.press('Enter');
	await page.waitForURL('**/c/*');
	expect(await rows.count()).atMost(61, 'rows in the page');

	// What is far away in the list is found by its title.
	await page.keyboard.press('Control+k');
	await page.getByRole('combobox', { name: 'Search, or say what to do' }).fill('Number 123');
	await page.getByRole('option', { name: /Number 123/ }).click();
	await page.getByRole('heading', { name: 'Number 123', level: 1 }).waitFor();
}

async function marks(all) {
	const watcher = await enter(all, views['1440 px, light']);
	const worker = await enter(all, views['1440 px, light']);
	await chooseModel(worker, 'counter');
	await send(worker, 'Work alone. [[tokens=60 rate=20]]');
	// Other conversations may be unread, too.
	const link = watcher.getByRole('link').filter({ hasText: 'Work alone.' });
	await link.getByRole('img', { name: 'Answering' }).waitFor();
	await worker.context().close();
	const unread = link.getByRole('img', { name: 'Unread' });
	await unread.waitFor();
	await accessible(watcher, 'an unread conversation');
	await link.click();
	await until('the mark to go', 10_000, async () => (await unread.count()) === 0);
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
	{ name: 'a long list keeps few rows in the page', run: longList },
	{ name: 'answering and unread marks reach other browsers', run: marks },
	{ name: 'a phone has tabs, sheets and large targets', run: phone },
	{ name: 'keys write, edit and respect input methods', run: keyboard },
	{ name: 'the page speaks Chinese', run: chinese }
];
