// Counts the JavaScript of the first screen on the wire: `first-screen.mjs ORIGIN EMAIL PASSWORD` prints its bytes, in
// JSON. Encodings are held to gzip, which is what the target is counted in; browsers that know brotli get less.
import { chromium } from 'playwright-core';

const [origin, email, password] = process.argv.slice(2);
const executablePath = process.env.STOA_TEST_BROWSER || process.env.CHROMIUM_BIN || '/usr/bin/chromium';

/** Opens the page with an empty cache and waits until it is there and asks for nothing more. */
async function measure(browser, signedIn) {
	const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 900 } });
	if (signedIn) {
		const answer = await context.request.post(`${origin}/api/v1/session`, {
			data: { email, password },
			headers: { origin }
		});
		if (!answer.ok()) throw new Error(`signing in answered ${answer.status()}`);
	}
	const page = await context.newPage();
	await page.setExtraHTTPHeaders({ 'accept-encoding': 'gzip' });
	const finished = [];
	page.on('requestfinished', (request) => finished.push(request));
	await page.goto(origin);
	const there = signedIn
		? page.getByRole('textbox', { name: 'Message', exact: true })
		: page.getByLabel('Password', { exact: true });
	await there.waitFor({ timeout: 30_000 });
	// The event stream never ends, so the network is never idle: a second in which nothing new came is taken for the end.
	for (let seen = -1; seen !== finished.length;) {
		seen = finished.length;
		await page.waitForTimeout(1_000);
	}
	let bytes = 0;
	let requests = 0;
	for (const request of finished) {
		const response = await request.response();
		const type = (await response.headerValue('content-type')) ?? '';
		if (!/javascript/.test(type)) continue;
		const encoding = await response.headerValue('content-encoding');
		const { responseBodySize } = await request.sizes();
		if (encoding !== 'gzip' && responseBodySize > 1_024) {
			throw new Error(`${request.url()} came as ${encoding ?? 'plain'}, not gzip`);
		}
		bytes += responseBodySize;
		requests += 1;
	}
	if (requests === 0) throw new Error('the page loaded no script: is the web application built in?');
	await context.close();
	return { bytes, requests };
}

const browser = await chromium.launch({
	executablePath,
	args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
});
try {
	const signIn = await measure(browser, false);
	const chat = await measure(browser, true);
	console.log(
		JSON.stringify({
			sign_in_bytes: signIn.bytes,
			chat_bytes: chat.bytes,
			requests: chat.requests
		})
	);
} finally {
	await browser.close();
}
