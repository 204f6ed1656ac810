// What can be done with messages: taken out and put back, answered anew, chosen, quoted, translated, summed up.
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
	questions,
	send
} from './page.mjs';

const said = (page) => questions(page).locator('p').allInnerTexts();
const answers = (page) => page.getByRole('article', { name: /^Answer of/ });
const answered = (page) => answers(page).locator('.markdown').allInnerTexts();

async function three(page) {
	await chooseModel(page, 'echo');
	for (const text of ['Alpha', 'Beta', 'Gamma']) {
		await send(page, text);
		await until(text, 10_000, async () => (await said(page)).includes(text));
		await complete(page);
	}
	await page.waitForURL('**/c/*');
}

async function menu(page, article, entry) {
	await article.hover();
	await article.getByRole('button', { name: 'More' }).click();
	await page.getByRole('menuitem', { name: entry }).click();
}

const removed = (view) => async (all) => {
	const page = await newcomer(all, `Rem${view.replace(/\W/g, '')}`, views[view], '/');
	await three(page);
	const id = page.url().split('/').at(-1);
	await questions(page).nth(1).hover();
	await questions(page).nth(1).getByRole('button', { name: 'More' }).click();
	await accessible(page, `the menu of a question, ${view}`);
	await picture(page, `message menu ${view}`);
	await page.getByRole('menuitem', { name: 'Delete with its answer' }).click();
	await until('two questions', 10_000, async () => String(await said(page)) === 'Alpha,Gamma');
	expect(await answered(page)).equals(['Alpha', 'Gamma']);
	const kept = await api(page, all, 'GET', `/conversations/${id}/messages`);
	expect(kept.items.map(({ parts }) => parts[0].text)).equals(['Alpha', 'Alpha', 'Gamma', 'Gamma']);
	await accessible(page, `a deleted message, ${view}`);
	await page.getByRole('button', { name: 'Undo' }).click();
	await until('all of them again', 10_000, async () => String(await said(page)) === 'Alpha,Beta,Gamma');
	// The last answer alone, and a new one after it.
	await menu(page, lastAnswer(page), 'Delete this answer');
	await until('two answers', 10_000, async () => (await answers(page).count()) === 2);
	await send(page, 'Delta');
	await until('the next', 10_000, async () => (await said(page)).includes('Delta'));
	await complete(page);
	await page.reload();
	await until('it all', 10_000, async () => String(await said(page)) === 'Alpha,Beta,Gamma,Delta');
	// What the model got for it is one question of two parts, because none may follow another.
	await until('the echo', 10_000, async () => (await answered(page)).at(-1)?.includes('Delta') ?? false);
};

async function anew(all) {
	const page = await newcomer(all, 'Remy', views['1440 px, light'], '/');
	await three(page);
	await menu(page, lastAnswer(page), 'Delete and answer again');
	await complete(page);
	await until('one answer', 10_000, async () => (await answers(page).count()) === 3);
	await until(
		'no other branch',
		10_000,
		async () => (await lastAnswer(page).getByRole('group').count()) === 0
	);
	const id = page.url().split('/').at(-1);
	// The old answer goes once the new one has begun.
	await until('the old answer to go', 10_000, async () => {
		const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
		return items.length === 6 && items.at(-1).siblings.length === 1;
	});
	await complete(page);
	await page.getByRole('button', { name: 'Undo' }).click();
	await until('both', 10_000, async () => {
		const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
		return items.at(-1).siblings.length === 2;
	});
}

const chosen = (view) => async (all) => {
	const page = await newcomer(all, `Cho${view.replace(/\W/g, '')}`, views[view], '/');
	await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
	await three(page);
	await menu(page, questions(page).first(), 'Choose messages…');
	const bar = page.getByRole('toolbar', { name: 'Chosen messages' });
	await bar.getByText('1 message chosen').waitFor();
	await page.getByRole('checkbox', { name: 'Choose the answer' }).first().check();
	await accessible(page, `choosing messages, ${view}`);
	await picture(page, `messages chosen ${view}`);
	await bar.getByRole('button', { name: 'Copy as Markdown' }).click();
	await until('the copy', 5_000, async () => {
		return (
			(await page.evaluate(() => navigator.clipboard.readText())) === '### You\n\nAlpha\n\n### echo\n\nAlpha'
		);
	});
	await menu(page, questions(page).nth(1), 'Choose messages…');
	await page.getByRole('checkbox', { name: 'Choose your message' }).nth(2).check();
	await bar.getByRole('button', { name: 'Delete' }).click();
	await until('one question', 10_000, async () => String(await said(page)) === 'Alpha');
	await bar.waitFor({ state: 'detached' });
	await page.getByRole('button', { name: 'Undo' }).click();
	await until('all of them again', 10_000, async () => String(await said(page)) === 'Alpha,Beta,Gamma');
};

async function quoted(all) {
	const page = await newcomer(all, 'Quotia', views['1440 px, light'], '/');
	await chooseModel(page, 'echo');
	await send(page, 'The first part. The second part.');
	await complete(page);
	const quote = page.getByRole('button', { name: 'Quote', exact: true });
	// What is selected is so no more when the answer is drawn for the last time.
	await until('the offer to quote', 20_000, async () => {
		if (await quote.isVisible()) return true;
		await lastAnswer(page)
			.locator('.markdown p')
			.first()
			.evaluate((node) => {
				const range = document.createRange();
				range.setStart(node.firstChild, 0);
				range.setEnd(node.firstChild, 15);
				getSelection().removeAllRanges();
				getSelection().addRange(range);
				node.dispatchEvent(new PointerEvent('pointerup', { bubbles: true }));
			});
		return false;
	});
	await accessible(page, 'something selected in an answer');
	await picture(page, 'quote');
	await quote.click();
	await until(
		'the quotation',
		5_000,
		async () => (await composer(page).inputValue()) === '> The first part.\n\n'
	);
}

const translated = (view) => async (all) => {
	const page = await newcomer(all, `Tra${view.replace(/\W/g, '')}`, views[view], '/');
	await chooseModel(page, 'echo');
	await send(page, 'Guten Morgen, **Welt**.');
	await complete(page);
	await menu(page, lastAnswer(page), 'Translate into English');
	const translation = page.getByRole('region', { name: 'Translation' });
	await translation.locator('strong').filter({ hasText: 'Welt' }).waitFor();
	await accessible(page, `a translation, ${view}`);
	await picture(page, `translation ${view}`);
	await page.reload();
	await translation.locator('strong').filter({ hasText: 'Welt' }).waitFor();
	await translation.getByRole('button', { name: 'Remove the translation' }).click();
	await translation.waitFor({ state: 'detached' });
	await page.reload();
	await lastAnswer(page).waitFor();
	expect(await translation.count()).equals(0);
};

const summed = (view) => async (all) => {
	const page = await newcomer(all, `Sum${view.replace(/\W/g, '')}`, views[view], '/');
	await three(page);
	await page.getByRole('button', { name: /tokens were sent and written/ }).click();
	const context = page.getByRole('dialog', { name: 'Context' });
	await context.getByText('Messages sent as they are: 6').waitFor();
	await context.getByRole('button', { name: 'Sum up older messages' }).click();
	await context.getByText('Summary of 4 messages').waitFor();
	await accessible(page, `the context, ${view}`);
	await picture(page, `context ${view}`);
	await page.keyboard.press('Escape');
	const summary = page.getByRole('region', { name: 'Summary of what is above' });
	await summary
		.getByRole('button', { name: 'Above this line the model gets a summary of 4 messages' })
		.click();
	await summary.getByText('User: Alpha').waitFor();
	await accessible(page, `a summary, ${view}`);
	await picture(page, `summary ${view}`);
	// The model echoes what it got for the last question.
	await menu(page, lastAnswer(page), 'Delete and answer again');
	await until('the summary in the answer', 10_000, async () =>
		((await answered(page)).at(-1) ?? '').includes('A summary of our conversation so far')
	);
	await complete(page);
	await page.reload();
	await summary.getByRole('button', { name: 'Undo' }).click();
	await summary.waitFor({ state: 'detached' });
	await menu(page, lastAnswer(page), 'Delete and answer again');
	await until('the question alone', 10_000, async () => (await answered(page)).at(-1) === 'Gamma');
	await page.getByRole('button', { name: /tokens were sent and written/ }).click();
	const byItself = context.getByRole('switch', { name: 'Sum up by itself' });
	await until(
		'nothing by itself',
		10_000,
		async () => (await byItself.getAttribute('aria-checked')) === 'false'
	);
	await byItself.click();
	const id = page.url().split('/').at(-1);
	await until(
		'the wish',
		10_000,
		async () => (await api(page, all, 'GET', `/conversations/${id}`)).auto_summary
	);
};

const wide = ['1440 px, light', '1440 px, dark', '390 px, light', '390 px, dark'];
export const messageTests = [
	...wide.map((view) => ({ name: `messages are deleted and put back, ${view}`, run: removed(view) })),
	{ name: 'messages: an answer is deleted and written again', run: anew },
	...wide
		.slice(1, 3)
		.map((view) => ({ name: `messages are chosen, copied and deleted, ${view}`, run: chosen(view) })),
	{ name: 'messages: a part of an answer is quoted', run: quoted },
	...wide.slice(1, 3).map((view) => ({ name: `messages are translated, ${view}`, run: translated(view) })),
	...wide.map((view) => ({
		name: `messages are summed up and that is taken back, ${view}`,
		run: summed(view)
	}))
];
