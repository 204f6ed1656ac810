// What is written while an answer is being written: it waits, and goes when that has ended.
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

const waiting = (page) => page.getByRole('region', { name: 'To be sent' });
const rows = (page) => waiting(page).getByRole('listitem');

async function begun(page, tokens) {
	await chooseModel(page, 'counter');
	await send(page, `Count. [[tokens=${tokens} rate=20]]`);
	await growing(page, 5);
	// The conversation has its address, under which what waits is kept.
	await page.waitForURL('**/c/*');
}

const inOrder = (view) => async (all) => {
	const page = await newcomer(all, `Que${view.replace(/\W/g, '')}`, views[view], '/');
	await begun(page, 160);
	await send(page, 'Second [[tokens=3]]');
	await send(page, 'Third [[tokens=3]]');
	await send(page, 'Never');
	expect(await composer(page).inputValue()).equals('');
	await until('three that wait', 5_000, async () => (await rows(page).count()) === 3);
	await accessible(page, `what waits, ${view}`);
	await picture(page, `queue ${view}`);
	await waiting(page).getByRole('button', { name: 'Remove: Never' }).click();
	await waiting(page)
		.getByRole('button', { name: /^Edit: Second/ })
		.click();
	await waiting(page).getByRole('textbox', { name: 'Message' }).fill('Changed [[tokens=4]]');
	await accessible(page, `changing what waits, ${view}`);
	await waiting(page).getByRole('button', { name: 'Keep' }).click();
	await waiting(page).waitFor({ state: 'detached', timeout: 40_000 });
	await complete(page);
	// The page itself keeps only those near the view.
	const id = page.url().split('/').at(-1);
	const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
	const said = items.filter(({ role }) => role === 'user').map(({ parts }) => parts[0].text);
	expect(said.map((text) => text.split(' ')[0])).equals(['Count.', 'Changed', 'Third']);
	expect(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('queue')))).equals(
		[]
	);
};

async function interrupts(all) {
	const page = await newcomer(all, 'Quinby', views['1440 px, light'], '/');
	await begun(page, 2_000);
	await send(page, 'Later [[tokens=3]]');
	await send(page, 'At once [[tokens=3]]');
	await rows(page).nth(1).waitFor();
	// A reload of the tab takes nothing away.
	await page.reload();
	await until('both again', 10_000, async () => (await rows(page).count()) === 2);
	await growing(page, 5);
	await waiting(page)
		.getByRole('button', { name: /^Stop the answer and send now: At once/ })
		.click();
	await page.getByText('Stopped', { exact: false }).first().waitFor();
	await until(
		'what was meant, and the rest after it',
		20_000,
		async () => (await questions(page).count()) === 3
	);
	await complete(page);
	await until('their words', 10_000, async () => {
		const said = await questions(page).locator('p').allInnerTexts();
		return String(said.map((text) => text.split(' [')[0])) === 'Count.,At once,Later';
	});
}

async function stopped(all) {
	const page = await newcomer(all, 'Quorra', views['1440 px, light'], '/');
	await begun(page, 2_000);
	await send(page, 'Think again [[tokens=3]]');
	await rows(page).first().waitFor();
	await composer(page).press('Escape');
	// Somebody who stops an answer has something else in mind.
	await waiting(page).getByText('nothing is sent without you').waitFor();
	await page.waitForTimeout(600);
	expect(await questions(page).count()).equals(1);
	await accessible(page, 'what waits after an answer was stopped');
	await waiting(page)
		.getByRole('button', { name: /^Send now: Think/ })
		.click();
	await until('it to be said', 10_000, async () => (await questions(page).count()) === 2);
	await complete(page);
}

async function elsewhere(all) {
	const page = await newcomer(all, 'Quade', views['1440 px, light'], '/');
	await begun(page, 60);
	await send(page, 'While I am away [[tokens=3]]');
	await rows(page).first().waitFor();
	const address = page.url();
	await page.getByRole('link', { name: 'New conversation', exact: true }).first().click();
	await page.waitForURL(`${all.stoa.origin}/`);
	await until('it to have gone', 20_000, () =>
		page.evaluate(() => !Object.keys(localStorage).some((key) => key.startsWith('stoa-queue')))
	);
	await page.goto(address);
	await until('both questions', 10_000, async () => (await questions(page).count()) === 2);
	await complete(page);
}

async function serverDies(all) {
	const page = await newcomer(all, 'Quist', views['1440 px, light'], '/');
	await begun(page, 2_000);
	await send(page, 'Do not lose me [[tokens=3]]');
	await rows(page).first().waitFor();
	await all.stoa.end('SIGKILL');
	await page.waitForTimeout(1_000);
	await all.stoa.start();
	await until('the end of the answer', 60_000, async () => {
		return (await lastAnswer(page).getAttribute('aria-busy')) === 'false';
	});
	await waiting(page).getByText('nothing is sent without you').waitFor();
	expect(await questions(page).count()).equals(1);
	await page.reload();
	await waiting(page)
		.getByRole('button', { name: /^Send now: Do not lose/ })
		.click();
	await until('it to be said', 20_000, async () => (await questions(page).count()) === 2);
	await complete(page);
}

export const queueTests = [
	...['1440 px, light', '1440 px, dark', '390 px, light', '390 px, dark'].map((view) => ({
		name: `queued messages go in order, ${view}`,
		run: inOrder(view)
	})),
	{ name: 'a queued message interrupts the answer, also after a reload', run: interrupts },
	{ name: 'queued messages wait when an answer is stopped', run: stopped },
	{ name: 'queued messages go while their conversation is not on the page', run: elsewhere },
	{ name: 'queued messages outlive the server', run: serverDies }
];
