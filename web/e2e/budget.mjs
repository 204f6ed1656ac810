// What the first screen costs: the JavaScript on the wire, workers included, with the heads of the answers.
import { expect } from './expect.mjs';
import { until } from './harness.mjs';
import { api, composer, enter, lastAnswer } from './page.mjs';

const BUDGET_KIB = 140;
const PROSE = `# A plan

The **first** step comes _before_ the second, as [the guide](https://example.com/guide) says.

- one
  - half of it
- two

| Step | Days |
| --- | ---: |
| one | 3 |
| two | 5 |

> Nothing is in a hurry. Use \`wait\`.
`;

/** Puts a conversation there by the API and gives its address once its answer is complete. */
async function answered(page, all, model, text) {
	const { id } = await api(page, all, 'POST', '/conversations', { title: 'Kept' });
	await api(page, all, 'POST', `/conversations/${id}/messages`, { parts: [{ type: 'text', text }], model });
	await until('the answer', 20_000, async () => {
		const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
		return items.at(-1)?.status === 'complete';
	});
	return `/c/${id}`;
}

/** Opens an address with an empty cache, as a browser that knows only gzip, which is what the budget is in. */
async function scriptsOf(all, path, there) {
	const page = await enter(all, {}, '/settings/profile');
	await page.waitForTimeout(500);
	const session = await page.context().newCDPSession(page);
	await session.send('Network.enable');
	await session.send('Network.setCacheDisabled', { cacheDisabled: true });
	await page.setExtraHTTPHeaders({ 'accept-encoding': 'gzip' });
	// When the first piece of an answer is drawn, by the clock that requests are timed with.
	await page.addInitScript(() => {
		globalThis.drawn = 0;
		new MutationObserver(() => {
			if (!globalThis.drawn && document.querySelector('.markdown .block:not(.pending)')) {
				globalThis.drawn = performance.timeOrigin + performance.now();
			}
		}).observe(document, { subtree: true, childList: true, attributes: true });
	});
	const finished = [];
	page.context().on('requestfinished', (request) => finished.push(request));
	await page.goto(all.stoa.origin + path);
	await there(page);
	await page.waitForTimeout(1_500);
	const scripts = [];
	for (const request of [...finished]) {
		const response = await request.response();
		if (!/javascript/.test((await response.headerValue('content-type')) ?? '')) continue;
		const { responseBodySize, responseHeadersSize } = await request.sizes();
		// The browser does not tell the size of a worker's script, but the server says it.
		const length = Number(await response.headerValue('content-length'));
		const packed = (await response.headerValue('content-encoding')) === 'gzip';
		expect(packed || length < 1_000).equals(true, `${request.url()} is compressed`);
		const bytes = Math.max(responseBodySize, length) + responseHeadersSize;
		scripts.push({ url: request.url(), bytes, at: request.timing().startTime });
	}
	expect(scripts.length > 3).equals(true, 'scripts were counted');
	const drawn = await page.evaluate(() => globalThis.drawn);
	await page.context().close();
	return { scripts, drawn };
}

function withinBudget(what, scripts) {
	const kib = scripts.reduce((sum, { bytes }) => sum + bytes, 0) / 1024;
	console.log(`         JavaScript of ${what}: ${kib.toFixed(1)} KiB in ${scripts.length} files`);
	expect(kib).atMost(BUDGET_KIB, `KiB of JavaScript for ${what}`);
}

const named = (scripts, part) => scripts.some(({ url }) => url.includes(part));

async function newConversation(all) {
	const { scripts } = await scriptsOf(all, '/', (page) => composer(page).waitFor());
	withinBudget('a new conversation', scripts);
	expect(named(scripts, '/workers/')).equals(false, 'Markdown is not needed yet');
}

async function keptConversation(all) {
	const page = await enter(all);
	const path = await answered(page, all, 'mock/echo', PROSE);
	const { scripts, drawn } = await scriptsOf(all, path, async (page) => {
		await lastAnswer(page).locator('table').waitFor();
		await composer(page).waitFor();
	});
	expect(drawn > 0).equals(true, 'the answer was drawn');
	expect(named(scripts, '/workers/worker')).equals(true, 'the worker is counted');
	withinBudget('a conversation that is there', scripts);
}

async function codeAndFormulas(all) {
	const page = await enter(all);
	const path = await answered(page, all, 'mock/markdown', 'Show me everything.');
	const { scripts, drawn } = await scriptsOf(all, path, async (page) => {
		await lastAnswer(page).locator('.katex').first().waitFor();
		await lastAnswer(page).locator('pre [class^="token-"]').first().waitFor();
	});
	expect(named(scripts, 'highlight.worker')).equals(true, 'the colours came, and late');
	withinBudget(
		'a conversation with code and formulas until its first answer is drawn',
		scripts.filter(({ at }) => at < drawn)
	);
}

export const budgetTests = [
	{ name: 'the first screen of a new conversation keeps its budget', run: newConversation },
	{ name: 'the first screen of a kept conversation keeps its budget', run: keptConversation },
	{ name: 'the first screen with code and formulas keeps its budget', run: codeAndFormulas }
];
