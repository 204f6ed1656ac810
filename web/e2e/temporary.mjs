// Temporary chats, prompts and the first steps.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	composer,
	enter,
	newcomer,
	picture,
	questions,
	send
} from './page.mjs';

const options = (page) => page.getByRole('option');

const left = (view) => async (all) => {
	const page = await newcomer(all, `Tem${view.replace(/\W/g, '')}`, views[view], '/');
	await chooseModel(page, 'echo');
	await page.getByRole('button', { name: 'Temporary chat' }).click();
	const note = page.getByRole('note').filter({ hasText: 'In no list' });
	await note.waitFor();
	await accessible(page, `a new temporary chat, ${view}`);
	await send(page, 'Pangolins in secret');
	await complete(page);
	await page.waitForURL('**/c/*');
	const id = page.url().split('/').at(-1);
	await note.getByRole('button', { name: 'Keep it' }).waitFor();
	await accessible(page, `a temporary chat, ${view}`);
	await picture(page, `temporary ${view}`);
	expect((await api(page, all, 'GET', '/conversations')).items.length).equals(0);
	expect((await api(page, all, 'GET', '/search?q=pangolins')).items.length).equals(0);
	if (!view.startsWith('390')) {
		expect(await page.getByRole('navigation').getByText('Pangolins').count()).equals(0, 'in the list');
	}
	// A second question in the same, and then away.
	await send(page, 'More of it');
	await until('both', 10_000, async () => (await questions(page).count()) === 2);
	await complete(page);
	await page.keyboard.press('Alt+n');
	await page.waitForURL(`${all.stoa.origin}/`);
	const gone = async () => {
		const answer = await page.request.get(`${all.stoa.origin}/api/v1/conversations/${id}`);
		return answer.status() === 404;
	};
	await until('it to be gone', 10_000, gone);
};

async function closed(all) {
	const page = await newcomer(all, 'Temperance', views['1440 px, light'], '/?temporary');
	await chooseModel(page, 'counter');
	await page.getByRole('note').filter({ hasText: 'In no list' }).waitFor();
	await send(page, 'Count. [[tokens=400 rate=20]]');
	await page.waitForURL('**/c/*');
	await page.getByRole('button', { name: 'Keep it' }).waitFor();
	const id = page.url().split('/').at(-1);
	const { context } = { context: page.context() };
	const other = await context.newPage();
	await other.goto(`${all.stoa.origin}/settings/profile`);
	// Closed while its answer is still being written.
	await page.close({ runBeforeUnload: true });
	await until('it to be gone', 10_000, async () => {
		return (await other.request.get(`${all.stoa.origin}/api/v1/conversations/${id}`)).status() === 404;
	});
}

async function kept(all) {
	const page = await newcomer(all, 'Temple', views['1440 px, light'], '/');
	await composer(page).waitFor();
	await page.keyboard.press('Control+k');
	await page.getByRole('combobox', { name: 'Search, or say what to do' }).fill('temporary');
	await page.keyboard.press('Enter');
	await page.getByRole('note').filter({ hasText: 'In no list' }).waitFor();
	await chooseModel(page, 'echo');
	await send(page, 'Armadillos after all');
	await complete(page);
	await page.getByRole('button', { name: 'Keep it' }).click();
	await page.getByRole('navigation', { name: 'Conversations' }).getByText('Armadillos after all').waitFor();
	await page.getByRole('note').filter({ hasText: 'In no list' }).waitFor({ state: 'detached' });
	await page.keyboard.press('Alt+n');
	await page.waitForURL(`${all.stoa.origin}/`);
	await page.waitForTimeout(500);
	expect((await api(page, all, 'GET', '/conversations')).items.length).equals(1);
	expect((await api(page, all, 'GET', '/search?q=armadillos')).items.length).equals(3);
}

const prompts = (view) => async (all) => {
	const page = await newcomer(all, `Pro${view.replace(/\W/g, '')}`, views[view], '/settings/prompts');
	await page.getByText('No prompts yet').waitFor();
	await accessible(page, `no prompts, ${view}`);
	await page.getByRole('button', { name: 'New prompt' }).click();
	const dialog = page.getByRole('dialog', { name: 'New prompt' });
	await dialog.getByLabel('Name').fill('Letter');
	await dialog.getByLabel('Text').fill('Write a {{tone}} letter to {{who}} about {{what}}, {{words}} words.');
	const place = (name) => dialog.getByRole('group', { name });
	await place('tone').getByLabel('Kind').selectOption('Choice');
	await place('tone').getByLabel('Choices').fill('warm\ncold');
	await place('what').getByLabel('Kind').selectOption('Several lines');
	await place('words').getByLabel('Kind').selectOption('Number');
	await place('words').getByLabel('Stands there at first').fill('100');
	await accessible(page, `a new prompt, ${view}`);
	await picture(page, `prompt ${view}`);
	await dialog.getByRole('button', { name: 'Save' }).click();
	await page.getByRole('listitem').filter({ hasText: 'Letter' }).waitFor();
	await api(page, all, 'POST', '/prompts', { name: 'Summary', text: 'Sum this up.' });
	await page.reload();
	await page.getByRole('listitem').filter({ hasText: 'Summary' }).waitFor();
	await accessible(page, `prompts, ${view}`);
	await picture(page, `prompts ${view}`);

	await page.goto(all.stoa.origin);
	await composer(page).pressSequentially('/');
	await options(page).filter({ hasText: 'Letter' }).waitFor();
	await accessible(page, `prompts in the field, ${view}`);
	await picture(page, `slash ${view}`);
	await composer(page).pressSequentially('sum');
	await until('one prompt', 5_000, async () => (await options(page).count()) === 2);
	await composer(page).press('Enter');
	await until('its text', 5_000, async () => (await composer(page).inputValue()) === 'Sum this up.');
	await composer(page).fill('');
	await composer(page).pressSequentially('/let');
	await options(page).filter({ hasText: 'Letter' }).click();
	const form = page.getByRole('dialog', { name: 'Letter' });
	await form.getByLabel('tone').selectOption('cold');
	await form.getByLabel('who').fill('Zoë');
	await form.getByLabel('what').fill('tea\nand $& cake');
	await accessible(page, `filling in a prompt, ${view}`);
	await picture(page, `filling in ${view}`);
	await form.getByRole('button', { name: 'Insert' }).click();
	await until('the whole text', 5_000, async () => {
		const text = await composer(page).inputValue();
		return text === 'Write a cold letter to Zoë about tea\nand $& cake, 100 words.';
	});
	// What looks like one in the middle of a text is none, and Escape lets a slash be a slash.
	await composer(page).fill('');
	await composer(page).pressSequentially('/');
	await options(page).first().waitFor();
	await composer(page).press('Escape');
	await until('no menu', 5_000, async () => (await options(page).count()) === 0);

	await page.goto(`${all.stoa.origin}/settings/prompts`);
	await page.getByRole('button', { name: 'Edit Letter' }).click();
	await page.getByRole('dialog', { name: 'Edit prompt' }).getByLabel('Name').fill('Note');
	await page.getByRole('button', { name: 'Save' }).click();
	await page.getByRole('button', { name: 'Delete Note' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await until(
		'one to be left',
		5_000,
		async () => (await page.getByRole('button', { name: /^Edit / }).count()) === 1
	);
};

async function whom(all) {
	const page = await newcomer(all, 'Atwood', views['1440 px, light'], '/');
	const gardener = { name: 'Gardener', avatar: '🌱', role: 'You grow things.', model: 'mock/echo' };
	await api(page, all, 'POST', '/assistants', gardener);
	await page.reload();
	await chooseModel(page, 'counter');
	await composer(page).pressSequentially('Say this @ech');
	await options(page).filter({ hasText: 'echo' }).waitFor();
	await accessible(page, 'models in the field');
	await picture(page, 'at sign');
	await composer(page).press('Enter');
	expect(await composer(page).inputValue()).equals('Say this ');
	await page.getByRole('button', { name: '@echo' }).waitFor();
	await accessible(page, 'a model for one message');
	await composer(page).press('Enter');
	await complete(page);
	await until('the echo', 10_000, async () => {
		return (await page.getByRole('article', { name: 'Answer of echo' }).count()) === 1;
	});
	// The next one goes to the usual model again.
	await page.getByRole('button', { name: 'Model: counter' }).waitFor();
	await send(page, 'Count. [[tokens=3]]');
	await page.getByRole('article', { name: 'Answer of counter' }).waitFor();
	await complete(page);
	// An assistant answers one turn of a conversation that is there, by its own model, and says so.
	await composer(page).pressSequentially('Plant this @gard');
	await options(page).filter({ hasText: 'Gardener' }).click();
	await page.getByRole('button', { name: '@Gardener' }).waitFor();
	await accessible(page, 'an assistant for one message');
	await picture(page, 'assistant for one message');
	await composer(page).press('Enter');
	await page.getByRole('article', { name: 'Answer of Gardener' }).waitFor();
	await complete(page);
	await picture(page, 'assistant answered once');
	await page.getByRole('button', { name: 'Model: counter' }).waitFor();
	await page.reload();
	await page.getByRole('article', { name: 'Answer of Gardener' }).waitFor();
	await send(page, 'Count. [[tokens=2]]');
	await until('the usual one', 10_000, async () => {
		return (await page.getByRole('article', { name: 'Answer of counter' }).count()) === 2;
	});
	await complete(page);
	await page.goto(all.stoa.origin);
	await composer(page).pressSequentially('@gard');
	await options(page).filter({ hasText: 'Gardener' }).click();
	await page.waitForURL('**/?assistant=*');
	await page.getByRole('heading', { name: 'Gardener' }).waitFor();
}

const owner = (view) => async (all) => {
	const admin = await enter(all);
	const email = `boss${view.replace(/\W/g, '')}@example.com`;
	const person = { name: 'Bess Boss', email, password: 'seven miles along the coast' };
	await api(admin, all, 'POST', '/users', { ...person, role: 'admin' });
	await admin.context().close();
	const page = await enter(all, { ...views[view], welcomed: false }, '/', person);
	await page.getByRole('heading', { name: 'Welcome, Bess' }).waitFor();
	await page.getByText('is connected').waitFor();
	await accessible(page, `the first steps of an admin, ${view}`);
	await picture(page, `welcome admin ${view}`);
	await page.getByRole('button', { name: 'Begin' }).click();
	await page.getByRole('heading', { name: /Bess/ }).waitFor();
	expect(await page.getByRole('heading', { name: 'Welcome, Bess' }).count()).equals(0);
	await until('that to be kept', 5_000, async () => (await api(page, all, 'GET', '/me')).welcomed);
	await page.reload();
	await composer(page).waitFor();
	expect(await page.getByRole('heading', { name: 'Welcome, Bess' }).count()).equals(0, 'shown again');
};

const member = (view) => async (all) => {
	const page = await newcomer(all, `Mem${view.replace(/\W/g, '')}`, { ...views[view], welcomed: false }, '/');
	await page.getByRole('heading', { name: /^Welcome, Mem/ }).waitFor();
	await accessible(page, `the first steps of a member, ${view}`);
	await picture(page, `welcome member ${view}`);
	// Whoever begins by themselves needs no steps.
	await chooseModel(page, 'echo');
	await send(page, 'On my own');
	await complete(page);
	await until('that to be kept', 5_000, async () => (await api(page, all, 'GET', '/me')).welcomed);
	await page.goto(all.stoa.origin);
	await composer(page).waitFor();
	expect(await page.getByRole('heading', { name: /^Welcome, Mem/ }).count()).equals(0, 'shown again');
};

async function chinese(all) {
	const page = await newcomer(
		all,
		'Zhen',
		{ ...views['390 px, light'], locale: 'zh-CN', welcomed: false },
		'/'
	);
	await page.getByRole('heading', { name: '欢迎，Zhen' }).waitFor();
	await picture(page, 'welcome Chinese');
	await page.getByRole('button', { name: '跳过' }).click();
	await page.getByRole('button', { name: '临时对话' }).click();
	await page.getByRole('note').filter({ hasText: '离开时即永久删除' }).waitFor();
	await picture(page, 'temporary Chinese');
	for (const path of ['/settings/prompts', '/settings/shortcuts']) {
		await page.goto(all.stoa.origin + path);
		await page.getByRole('heading', { level: 1 }).waitFor();
		await accessible(page, `${path} in Chinese`);
		await picture(page, `${path} Chinese`);
	}
}

const wide = ['1440 px, light', '1440 px, dark', '390 px, light', '390 px, dark'];
export const temporaryTests = [
	...wide.map((view) => ({ name: `a temporary chat goes when one leaves, ${view}`, run: left(view) })),
	{ name: 'a temporary chat goes with its page', run: closed },
	{ name: 'a temporary chat is kept by one press', run: kept },
	...wide.map((view) => ({ name: `prompts are written, found and filled in, ${view}`, run: prompts(view) })),
	{ name: 'prompts: an at sign chooses a model or an assistant', run: whom },
	...wide.map((view) => ({ name: `first steps of an admin, ${view}`, run: owner(view) })),
	...wide.map((view) => ({ name: `first steps of a member, ${view}`, run: member(view) })),
	{ name: 'first steps, prompts and temporary chats in Chinese', run: chinese }
];
