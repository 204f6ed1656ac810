// What the tests do on a page, in the words of the interface.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect } from './expect.mjs';
import { owner, pictures, until } from './harness.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SLOW = 20_000;

/**
 * A browser context of its own. It remembers what the page complained about: a violated policy, a script error, a request
 * to another origin. `complaints()` has to be empty at the end of each test.
 */
export async function open(all, options = {}) {
	const context = await all.browser.newContext({
		locale: 'en-GB',
		reducedMotion: 'reduce',
		// It would answer for the server, whose answers the tests look at.
		serviceWorkers: 'block',
		...options
	});
	const complaints = [];
	const unanswered = new Set();
	const { origin } = all.stoa;
	const answered = (request) => unanswered.delete(request);
	context.on('requestfinished', answered);
	context.on('requestfailed', answered);
	context.on('request', (request) => {
		unanswered.add(request);
		const url = new URL(request.url());
		if (url.origin !== origin && !['data:', 'blob:'].includes(url.protocol))
			complaints.push(`asked ${url.origin}`);
	});
	const page = await context.newPage();
	page.setDefaultTimeout(SLOW);
	page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
	page.on('console', (message) => {
		// A refused or unreachable request is told to the reader; the browser's own note of it is not a fault.
		if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text())) {
			complaints.push(message.text());
		}
	});
	return Object.assign(page, { complaints, unanswered });
}

/** Goes to a place as somebody who is signed in. */
export async function enter(all, options = {}, path = '/', person = owner) {
	const page = await open(all, options);
	const answer = await page.request.post(`${all.stoa.origin}/api/v1/session`, {
		data: { email: person.email, password: person.password },
		headers: { origin: all.stoa.origin }
	});
	expect(answer.status()).equals(200, 'signing in');
	// The first steps have tests of their own.
	if (options.welcomed !== false) await api(page, all, 'PATCH', '/me', { welcomed: true });
	await page.goto(all.stoa.origin + path);
	return page;
}

export async function api(page, all, method, path, data) {
	const answer = await page.request.fetch(`${all.stoa.origin}/api/v1${path}`, {
		method,
		data,
		headers: { origin: all.stoa.origin }
	});
	if (!answer.ok()) throw new Error(`${method} ${path} answered ${answer.status()}: ${await answer.text()}`);
	return answer.status() === 204 ? null : answer.json();
}

/** Somebody who has nothing yet, with the mock's models at hand. */
export async function newcomer(all, name, options, path = '/assistants') {
	const admin = await enter(all);
	const email = `${name.toLowerCase()}@example.com`;
	const person = { name, email, password: 'seven miles along the coast' };
	await api(admin, all, 'POST', '/users', { ...person, role: 'member' });
	await admin.context().close();
	return enter(all, options, path, person);
}

/** Runs axe on the page as it is now. */
export async function accessible(page, where) {
	// Injected by the protocol and not by an element, because the page's policy refuses foreign scripts.
	await page.evaluate(axeSource);
	const found = await page.evaluate(async () => {
		const { violations } = await globalThis.axe.run(document, {
			runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
		});
		return violations.flatMap(({ id, help, nodes }) =>
			nodes.map(({ target, failureSummary }) => `${id} (${help}): ${target.join(' ')} ${failureSummary}`)
		);
	});
	expect(found).equals([], `axe: ${where}`);
	const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	expect(sideways <= 0).equals(true, `${where} scrolls sideways by ${sideways} px`);
}

export async function picture(page, name) {
	await page.screenshot({ path: join(pictures, `${name.replace(/[^\w]+/g, '-')}.png`) });
}

export const composer = (page) => page.getByRole('textbox', { name: 'Message', exact: true });
const answers = (page) => page.getByRole('article', { name: /^Answer of/ });
export const lastAnswer = (page) => answers(page).last();
export const questions = (page) => page.getByRole('article', { name: 'You wrote' });

export async function chooseModel(page, name) {
	await page.getByRole('button', { name: /^Model: / }).click();
	await page.getByRole('combobox', { name: 'Search models' }).fill(name);
	await page.getByRole('listbox').getByRole('option').filter({ hasText: name }).first().click();
	await page.getByRole('button', { name: `Model: ${name}` }).waitFor();
}

export async function send(page, text) {
	await composer(page).fill(text);
	await composer(page).press('Enter');
}

/** The text of the last answer without its buttons and figures. */
export async function answerText(page) {
	return lastAnswer(page)
		.locator('.markdown')
		.allInnerTexts()
		.then((texts) => texts.join('\n').trim());
}

/** Waits until the last answer says exactly this: drawing comes a moment after the end is known. */
export async function says(page, wanted) {
	await until(`the answer ${JSON.stringify(wanted.slice(0, 60))}`, SLOW, async () => {
		return (await answerText(page)) === wanted;
	});
}

/** Waits until the answer is written to its end. */
export async function complete(page) {
	await until('the end of the answer', 60_000, async () => {
		const busy = await lastAnswer(page).getAttribute('aria-busy');
		return busy === 'false' && (await page.getByRole('button', { name: 'Stop' }).count()) === 0;
	});
}

/** Waits until this much of an answer is there while it is still being written. */
export async function growing(page, letters) {
	await until(`${letters} letters of an answer that is still being written`, SLOW, async () => {
		if ((await lastAnswer(page).getAttribute('aria-busy')) !== 'true') return false;
		const texts = await lastAnswer(page).locator('.markdown').allInnerTexts();
		return texts.join('').length >= letters;
	});
}

/** `0 1 2 … n-1`, as the mock's counter says it: a lost, doubled or misplaced token shows. */
export const counted = (count) => Array.from({ length: count }, (_, index) => index).join(' ');
