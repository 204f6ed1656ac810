// Threads: a conversation beside a conversation, from any of its messages.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	composer,
	growing,
	lastAnswer,
	newcomer,
	picture,
	questions,
	send
} from './page.mjs';

const panelOf = (page) => page.getByRole('complementary', { name: 'Threads' });
const mainOf = (page) => page.getByRole('main');
const lines = (page) => mainOf(page).getByRole('link', { name: /repl(y|ies) in a thread/ });
const said = (area) => questions(area).locator('p').allInnerTexts();
const idOf = (page) => new URL(page.url()).pathname.split('/').at(-1);

async function two(page, model = 'echo') {
	await chooseModel(page, model);
	for (const text of ['Alpha', 'Beta']) {
		await send(page, text);
		await until(text, 10_000, async () => (await said(page)).includes(text));
		await complete(page);
	}
	await page.waitForURL('**/c/*');
}

async function menu(article, page, entry) {
	await article.hover();
	await article.getByRole('button', { name: 'More' }).click();
	await page.getByRole('menuitem', { name: entry }).click();
}

async function begin(page, article, text) {
	await menu(article, page, 'Start a thread…');
	const panel = panelOf(page);
	await panel.waitFor();
	await composer(panel).fill(text);
	await composer(panel).press('Enter');
	await until('the question of the thread', 10_000, async () => (await said(panel)).includes(text));
}

const threaded = (view) => async (all) => {
	const page = await newcomer(all, `Thr${view.replace(/\W/g, '')}`, views[view], '/');
	const phone = view.startsWith('390');
	await two(page);
	const id = idOf(page);
	await menu(lastAnswer(page), page, 'Start a thread…');
	const panel = panelOf(page);
	await panel.getByText('Beta').waitFor();
	expect(await panel.getByRole('radio', { name: 'With context' }).isChecked()).equals(true);
	await accessible(page, `a thread that is to begin, ${view}`);
	await picture(page, `thread new ${view}`);
	expect((await api(page, all, 'GET', `/conversations/${id}/threads`)).items).equals(
		[],
		'nothing was said yet'
	);
	await composer(panel).fill('Side one');
	await composer(panel).press('Enter');
	await until('the question', 10_000, async () => String(await said(panel)) === 'Side one');
	await complete(panel);
	await until('its address', 5_000, async () => new URL(page.url()).searchParams.get('thread'));
	await send(panel, 'Side two');
	await until('the second', 10_000, async () => String(await said(panel)) === 'Side one,Side two');
	await complete(panel);
	await panel.getByText('The model knows this message and what was said above it.').waitFor();
	// It is called by what was said in it, and not by what stands above.
	await panel.getByRole('heading', { name: 'User: Side one' }).waitFor();
	await accessible(page, `a thread, ${view}`);
	await picture(page, `thread ${view}`);
	// A reload keeps it open.
	await page.reload();
	await until('the thread again', 10_000, async () => String(await said(panel)) === 'Side one,Side two');
	await until(
		'the page below at rest',
		5_000,
		async () => (await mainOf(page).evaluate((node) => node.inert)) === phone
	);
	await panel.getByRole('button', { name: 'Close the thread panel' }).click();
	await panel.waitFor({ state: 'detached' });
	const line = lines(page);
	await line.getByText('4 replies in a thread').waitFor();
	await until('the line has the focus', 5_000, () =>
		line.evaluate((node) => node === document.activeElement)
	);
	await until('the conversation as it was', 5_000, async () => String(await said(page)) === 'Alpha,Beta');
	await accessible(page, `a message with a thread, ${view}`);
	await picture(page, `thread line ${view}`);
	// It is in no list but that of its conversation.
	const listed = await api(page, all, 'GET', '/conversations');
	expect(listed.items.map((item) => item.id)).equals([id]);
	await mainOf(page)
		.getByRole('button', { name: /^Actions for/ })
		.click();
	await page.getByRole('menuitem', { name: 'Threads' }).click();
	await panel.getByRole('link', { name: /4 replies in a thread/ }).waitFor();
	await accessible(page, `the list of threads, ${view}`);
	await picture(page, `thread list ${view}`);
	await panel.getByRole('link', { name: /4 replies in a thread/ }).click();
	await until('the thread', 10_000, async () => String(await said(panel)) === 'Side one,Side two');
	await page.goBack();
	await panel.getByRole('heading', { name: 'Threads' }).waitFor();
};

async function gone(all) {
	const page = await newcomer(all, 'Throwina', views['1440 px, light'], '/');
	await two(page);
	await begin(page, questions(page).first(), 'Side');
	const panel = panelOf(page);
	await complete(panel);
	await lines(page).getByText('2 replies in a thread').waitFor();
	// The message goes with its thread, and both come back.
	await menu(questions(mainOf(page)).first(), page, 'Delete with its answer');
	await panel.getByText('This thread is not there').waitFor();
	await accessible(page, 'a thread that is gone');
	expect(await lines(page).count()).equals(0);
	await page.getByRole('button', { name: 'Undo' }).click();
	await lines(page).getByText('2 replies in a thread').waitFor();
	await lines(page).click();
	await until('the thread', 10_000, async () => String(await said(panel)) === 'Side');
	// The thread alone.
	await panel.getByRole('button', { name: 'Actions for this thread' }).click();
	await page.getByRole('menuitem', { name: 'Delete the thread' }).click();
	await panel.waitFor({ state: 'detached' });
	await until('no line', 5_000, async () => (await lines(page).count()) === 0);
	await page.getByText('The thread was deleted').first().waitFor();
	await page.getByRole('button', { name: 'Undo' }).click();
	await lines(page).getByText('2 replies in a thread').waitFor();
}

async function found(all) {
	const page = await newcomer(all, 'Searchina', views['1440 px, light'], '/');
	await two(page);
	const id = idOf(page);
	await begin(page, lastAnswer(page), 'Wombat');
	await complete(panelOf(page));
	const thread = new URL(page.url()).searchParams.get('thread');
	await page.goto(`${all.stoa.origin}/assistants`);
	await page.getByRole('heading', { name: 'Assistants' }).first().waitFor();
	await page.keyboard.press('Control+k');
	await page.getByRole('combobox', { name: 'Search, or say what to do' }).fill('wombat');
	await page.getByRole('option').filter({ hasText: 'Wombat' }).filter({ hasText: 'You' }).first().click();
	await page.waitForURL(`**/c/${id}?thread=${thread}`);
	await panelOf(page).locator('[data-message].marked').waitFor();
	await picture(page, 'thread found');
	// An address of the thread itself leads to its conversation.
	await page.goto(`${all.stoa.origin}/c/${thread}`);
	await page.waitForURL(`**/c/${id}?thread=${thread}`);
	await until('both', 10_000, async () => (await said(page)).join() === 'Alpha,Beta,Wombat');
	// Somebody else finds nothing there.
	const other = await newcomer(all, 'Pryer', views['1440 px, light'], '/');
	await other.goto(`${all.stoa.origin}/c/${id}?thread=${thread}`);
	await other.getByText('This conversation does not exist').waitFor();
	expect(await other.getByText('Wombat').count()).equals(0);
}

async function written(all) {
	const page = await newcomer(all, 'Threadia', views['1440 px, light'], '/');
	await two(page);
	await menu(lastAnswer(page), page, 'Start a thread…');
	const panel = panelOf(page);
	await panel.getByText('This message alone').click();
	await panel.getByText('The model knows this message and nothing above it.').waitFor();
	await chooseModel(panel, 'counter');
	await composer(panel).fill('Count. [[tokens=60 rate=20]]');
	await composer(panel).press('Enter');
	await growing(panel, 3);
	await panel.getByRole('button', { name: 'Close the thread panel' }).click();
	await panel.waitFor({ state: 'detached' });
	// It goes on unwatched, and is unread then.
	await lines(page).getByText('Answering').waitFor();
	await picture(page, 'thread answering');
	await lines(page).getByText('Unread').waitFor({ timeout: 60_000 });
	await accessible(page, 'a thread with an answer that nobody has seen');
	await picture(page, 'thread unread');
	await lines(page).click();
	await complete(panel);
	await until('it is read', 10_000, async () => (await lines(page).getByText('Unread').count()) === 0);
	const id = idOf(page);
	const [thread] = (await api(page, all, 'GET', `/conversations/${id}/threads`)).items;
	expect([thread.thread.with_context, thread.thread.messages, thread.unread]).equals([false, 2, false]);
	// Escape closes it from within.
	await composer(panel).press('Escape');
	await panel.waitFor({ state: 'detached' });
}

const chinese = (view) => async (all) => {
	const name = `Zhu${view.replace(/\W/g, '')}`;
	const page = await newcomer(all, name, { ...views[view], locale: 'zh-CN' }, '/');
	const { id } = await api(page, all, 'POST', '/conversations', { title: '引擎' });
	const turn = { model: 'mock/echo', parts: [{ type: 'text', text: '什么是差分机？' }] };
	const { message_id } = await api(page, all, 'POST', `/conversations/${id}/messages`, turn);
	await page.goto(`${all.stoa.origin}/c/${id}?about=${message_id}`);
	const panel = page.getByRole('complementary', { name: '话题' });
	await panel.getByText('什么是差分机？').waitFor();
	await accessible(page, `a thread that is to begin, Chinese, ${view}`);
	await picture(page, `thread new Chinese ${view}`);
	const thread = await api(page, all, 'POST', `/messages/${message_id}/threads`, { with_context: false });
	await api(page, all, 'POST', `/conversations/${thread.id}/messages`, turn);
	await page.goto(`${all.stoa.origin}/c/${id}?thread=${thread.id}`);
	await panel.getByText('模型只知道这条消息，不知道之前的内容。').waitFor();
	await panel.locator('article.assistant[aria-busy=false]').waitFor();
	await accessible(page, `a thread, Chinese, ${view}`);
	await picture(page, `thread Chinese ${view}`);
};

const wide = ['1440 px, light', '1440 px, dark', '390 px, light', '390 px, dark'];
export const threadTests = [
	...wide.map((view) => ({ name: `threads begin at a message and are kept, ${view}`, run: threaded(view) })),
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `threads speak Chinese, ${view}`,
		run: chinese(view)
	})),
	{ name: 'threads go with their message, and alone, and come back', run: gone },
	{ name: 'threads are found by their words and opened beside', run: found },
	{ name: 'threads are answered unwatched', run: written }
];
