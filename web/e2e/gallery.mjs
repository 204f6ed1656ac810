// The assistants that come with Stoa: found, looked at, added, changed first, talked to.
import { readFileSync } from 'node:fs';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	composer,
	lastAnswer,
	newcomer,
	picture,
	says,
	send
} from './page.mjs';

const folder = new URL('../src/lib/features/gallery/', import.meta.url);
const read = (language) => JSON.parse(readFileSync(new URL(`${language}.json`, folder), 'utf8'));
const english = read('en');
const chinese = read('zh');
const cards = (page) => page.getByRole('main').getByRole('article');
const card = (page, name) => page.getByRole('article', { name, exact: true });
const names = (page) => cards(page).getByRole('heading').allInnerTexts();
const inOrder = (page, wanted) =>
	until(`the cards ${wanted}`, 10_000, async () => (await names(page)).join() === wanted.join());
const focused = (page) =>
	page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText);

/** The file of a language as the profiles that are made of it. */
const profiles = (offers) =>
	offers.map(({ id: _, role, ...offer }) => ({
		...{ input_template: '', model: null, history_messages: null },
		...{ ...offer, role: role.join('\n') }
	}));
/** In whatever order the fields come. */
const sorted = (list) =>
	list.map((profile) => Object.entries(profile).sort(([one], [other]) => (one < other ? -1 : 1)));
const kept = ({
	id: _id,
	pinned: _pinned,
	folder_id: _folder,
	picture: _picture,
	shared: _shared,
	created_at: _made,
	updated_at: _changed,
	...profile
}) => profile;

/** From nothing to a conversation with the translator, by way of the gallery. */
const fromTheGallery = (view) => async (all) => {
	const page = await newcomer(all, `Gus${view.replace(/\W/g, '')}`, views[view]);
	await page.getByRole('link', { name: 'Choose from the gallery' }).click();
	await page.getByRole('heading', { name: 'Gallery' }).waitFor();
	await inOrder(
		page,
		english.map(({ name }) => name)
	);
	await accessible(page, `the gallery, ${view}`);
	await picture(page, `gallery ${view}`);

	// By words, by tag, and by both.
	const search = page.getByRole('searchbox', { name: 'Search the gallery' });
	await search.fill('excel');
	await inOrder(page, ['Spreadsheet formulas']);
	await page.getByText(`1 of ${english.length} assistants is shown`).waitFor();
	await search.fill('');
	const tag = page.getByRole('button', { name: 'Data', exact: true });
	await tag.click();
	const ofData = english.filter(({ tags }) => tags.includes('Data')).map(({ name }) => name);
	await inOrder(page, ofData);
	expect(await tag.getAttribute('aria-pressed')).equals('true');
	await picture(page, `gallery tag ${view}`);
	await search.fill('regular');
	await inOrder(page, ['Regex builder']);
	await search.fill('nobody has this');
	await page.getByRole('heading', { name: 'Nothing found' }).waitFor();
	await accessible(page, `nothing in the gallery, ${view}`);
	await picture(page, `gallery nothing ${view}`);
	await page.getByRole('button', { name: 'Show all' }).click();
	await until('all cards', 10_000, async () => (await cards(page).count()) === english.length);
	expect(await search.inputValue()).equals('');
	expect(await focused(page)).equals('Translator', 'the focus is on what is shown again');

	// Looked at by keys, and left again.
	const show = card(page, 'Translator').getByRole('button', { name: 'Translator', exact: true });
	await show.focus();
	await page.keyboard.press('Enter');
	const preview = page.getByRole('dialog', { name: 'Translator' });
	await preview.getByText('Translate Chinese into English, and every other language').waitFor();
	await preview.getByText('Translate the following text: {{text}}').waitFor();
	await preview.getByText('Thank you for your patience').waitFor();
	expect(await focused(page)).equals('About Translator');
	await accessible(page, `a preview, ${view}`);
	await picture(page, `gallery preview ${view}`);
	await page.keyboard.press('Escape');
	await until('the preview to go', 10_000, async () => !(await preview.isVisible()));
	expect(await focused(page)).equals('Translator', 'the focus goes back to the card');

	// Added, and talked to at once.
	await show.click();
	await preview.getByRole('button', { name: 'Add to my assistants' }).click();
	await preview.getByRole('link', { name: 'Talk to it' }).waitFor();
	await preview.getByText('Among your assistants').waitFor();
	expect(await focused(page)).equals('Talk to it', 'the focus is on what comes next');
	await accessible(page, `a preview of what was added, ${view}`);
	await picture(page, `gallery preview added ${view}`);
	await page.keyboard.press('Enter');
	const greeting = page.getByRole('region', { name: 'Translator', exact: true });
	await chooseModel(page, 'echo');
	await greeting.getByRole('button', { name: '千里之行，始于足下。' }).click();
	await composer(page).press('Enter');
	await page.waitForURL('**/c/*');
	await complete(page);
	await says(page, 'Translate the following text:\n\n千里之行，始于足下。');
	expect(await lastAnswer(page).getAttribute('aria-label')).equals('Answer of Translator');
	await send(page, 'Good night');
	await complete(page);
	await says(page, 'Translate the following text:\n\nGood night');
};

/** Straight from the card; the server keeps what the file says, and the gallery knows it again. */
async function fromTheCard(all) {
	const page = await newcomer(all, 'Gina', views['1440 px, dark'], '/assistants/gallery');
	for (const { name } of [english[6], english[11]]) {
		await page.getByRole('button', { name: `Add ${name} to my assistants` }).click();
		await page.getByText(`“${name}” was added to your assistants`).first().waitFor();
		await until('the focus to go along', 10_000, async () => {
			return (await focused(page)) === `New conversation with ${name}`;
		});
	}
	await card(page, english[6].name).getByText('Added').waitFor();
	await accessible(page, 'the gallery with what was added');
	await picture(page, 'gallery added');
	const { items } = await api(page, all, 'GET', '/assistants');
	expect(sorted(items.map(kept))).equals(sorted(profiles([english[11], english[6]])));

	// The way in the notice; then the gallery still knows which are one's own, until one of them is not what it was.
	await page.getByRole('button', { name: 'Talk to it' }).last().click();
	await page.getByRole('region', { name: english[11].name, exact: true }).waitFor();
	await api(page, all, 'PATCH', `/assistants/${items[0].id}`, {
		profile: { ...kept(items[0]), role: 'Changed.' }
	});
	await page.goto(`${all.stoa.origin}/assistants`);
	await page.getByRole('link', { name: 'Gallery', exact: true }).click();
	await card(page, english[6].name).getByText('Added').waitFor();
	await page.getByRole('button', { name: `Add ${english[11].name} to my assistants` }).waitFor();

	// What the server does not take is said, and nothing counts as added.
	const refused = '**/api/v1/assistants';
	await page.route(refused, (route) => {
		if (route.request().method() !== 'POST') return route.continue();
		return route.fulfill({
			status: 503,
			contentType: 'application/problem+json',
			body: '{"code":"unavailable"}'
		});
	});
	await page.getByRole('button', { name: `Add ${english[0].name} to my assistants` }).click();
	await page.locator('.toast.bad').waitFor();
	expect(await card(page, english[0].name).getByText('Added').count()).equals(0);
	await page.unroute(refused);

	// A language that does not come: said so, and asked for again.
	const scripts = '**/assets/immutable/**';
	await page.route(scripts, (route) => route.abort());
	await page.getByRole('radio', { name: '简体中文' }).check({ force: true });
	const again = page.getByRole('button', { name: 'Try again' });
	await again.waitFor();
	await accessible(page, 'a gallery that does not come');
	await picture(page, 'gallery failed');
	await page.unroute(scripts);
	await again.click();
	await card(page, '翻译助手').waitFor();
}

/** The gallery is in the page's language first, and in the other where that is asked for. */
const inChinese = (view) => async (all) => {
	const options = { ...views[view], locale: 'zh-CN' };
	const page = await newcomer(all, `Zhou${view.replace(/\W/g, '')}`, options);
	await page.getByRole('link', { name: '从助手库中挑选' }).click();
	await inOrder(
		page,
		chinese.map(({ name }) => name)
	);
	await accessible(page, `the gallery in Chinese, ${view}`);
	await picture(page, `gallery Chinese ${view}`);
	const left = await page.evaluate(() =>
		document.body.innerText.match(/\b(Gallery|Search|All|Add|Added|Tags|Assistants)\b/g)
	);
	expect(left).equals(null, 'English left in the Chinese page');
	const search = page.getByRole('searchbox', { name: '搜索助手库' });
	await search.fill('纪要');
	await inOrder(page, ['会议纪要']);
	await search.fill('');

	// The tag stays with the language, under its other name.
	await page.getByRole('button', { name: '数据', exact: true }).click();
	await page.getByRole('radio', { name: 'English' }).check({ force: true });
	await inOrder(
		page,
		english.filter(({ tags }) => tags.includes('Data')).map(({ name }) => name)
	);
	expect(await cards(page).locator('xpath=ancestor::ul').first().getAttribute('lang')).equals('en');
	await accessible(page, `the English gallery in a Chinese page, ${view}`);

	// Changed before it is added, in the language that was looked at.
	await card(page, 'SQL helper').getByRole('button', { name: 'SQL helper', exact: true }).click();
	await page.getByRole('dialog').getByText('You are an experienced database developer.').waitFor();
	await accessible(page, `an English preview in a Chinese page, ${view}`);
	await picture(page, `gallery Chinese page English preview ${view}`);
	await page.getByRole('dialog').getByRole('link', { name: '先修改再添加' }).click();
	await page.getByRole('button', { name: '创建助手' }).waitFor();
	const name = page.getByLabel('名称', { exact: true });
	expect(await name.inputValue()).equals('SQL helper');
	await name.fill('Our SQL helper');
	await page.getByRole('button', { name: '创建助手' }).click();
	await card(page, 'Our SQL helper').waitFor();
	const { items } = await api(page, all, 'GET', '/assistants');
	expect(items.map(({ name, role }) => [name, role])).equals([
		['Our SQL helper', english.find(({ id }) => id === 'sql').role.join('\n')]
	]);

	// And the Chinese translator, straight into a conversation.
	await page.goto(`${all.stoa.origin}/assistants/gallery`);
	await card(page, '翻译助手').getByRole('button', { name: '翻译助手', exact: true }).click();
	const preview = page.getByRole('dialog', { name: '翻译助手' });
	await preview.getByText('你是一名翻译。').waitFor();
	await picture(page, `gallery Chinese preview ${view}`);
	await preview.getByRole('button', { name: '添加到我的助手' }).click();
	await preview.getByRole('link', { name: '开始对话' }).click();
	await page.getByRole('button', { name: /^模型：/ }).click();
	await page.getByRole('combobox', { name: '搜索模型' }).fill('echo');
	await page.getByRole('option').filter({ hasText: 'echo' }).first().click();
	const message = page.getByRole('textbox', { name: '消息', exact: true });
	await message.fill('Good morning');
	await message.press('Enter');
	await page.waitForURL('**/c/*');
	await until('the template in Chinese', 20_000, async () => {
		const texts = await page.locator('article.assistant .markdown').allInnerTexts();
		return texts.join('').includes('请翻译下面的文字：') && texts.join('').includes('Good morning');
	});
};

/** Nothing in the files is refused or trimmed by the server's own rules. */
async function asItIs(all) {
	const page = await newcomer(all, 'Greta', views['1440 px, light']);
	for (const assistants of [profiles(english), profiles(chinese)]) {
		const file = { format: 'stoa.assistants', version: 1, assistants };
		const { items } = await api(page, all, 'POST', '/assistants/import', file);
		expect(sorted(items.map(kept))).equals(sorted(assistants));
	}
}

export const galleryTests = [
	...Object.keys(views).map((view) => ({
		name: `an assistant from the gallery, ${view}`,
		run: fromTheGallery(view)
	})),
	{ name: 'the server takes all of the gallery as it is', run: asItIs },
	{ name: 'assistants straight from the cards of the gallery', run: fromTheCard },
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `the gallery in Chinese, and in both languages, ${view}`,
		run: inChinese(view)
	}))
];
