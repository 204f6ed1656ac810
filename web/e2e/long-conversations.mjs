// How smooth the page stays: `long-conversations.mjs ORIGIN EMAIL PASSWORD SHORT LONG VERY_LONG` prints figures in JSON. The
// arguments are ids of conversations; the short one is what the long ones are held against.
import { chromium } from 'playwright-core';

const [origin, email, password, short, long, veryLong] = process.argv.slice(2);
const executablePath = process.env.STOA_TEST_BROWSER || process.env.CHROMIUM_BIN || '/usr/bin/chromium';
const STREAM_MS = 6_000;
const SCROLL_MS = 6_000;
/** Said back by the mock: enough to be written during all of a measurement. */
const SAID = Array.from(
	{ length: 120 },
	(_, place) =>
		`## Part ${place + 1}\n\nWhat the **sea** is, and what \`it\` does:\n\n- it is deep, and [old](https://example.com)\n` +
		`- it has $${place} \\times 2$ names\n\n\`\`\`js\nconst wave = (time) => Math.sin(time * ${place});\n\`\`\`\n\n| depth | light |\n|--:|---|\n| ${place} m | dim |\n`
).join('\n');

/** What the page did within a time: frames a second, the longest one, and how much of it tasks of 50 ms and more took. */
function watch(page, milliseconds) {
	return page.evaluate(
		(wanted) =>
			new Promise((done) => {
				const tasks = [];
				const observer = new PerformanceObserver((list) => {
					for (const { duration } of list.getEntries()) tasks.push(duration);
				});
				observer.observe({ type: 'longtask' });
				const begun = performance.now();
				const gaps = [];
				let last = begun;
				const frame = (now) => {
					gaps.push(now - last);
					last = now;
					if (now - begun < wanted) {
						requestAnimationFrame(frame);
						return;
					}
					observer.disconnect();
					const seconds = (now - begun) / 1_000;
					done({
						frames_per_second: gaps.length / seconds,
						longest_frame_ms: Math.max(...gaps),
						longest_task_ms: Math.max(0, ...tasks),
						blocked_ms_per_second: tasks.reduce((sum, duration) => sum + duration, 0) / seconds
					});
				};
				requestAnimationFrame(frame);
			}),
		milliseconds
	);
}

const lastAnswer = (page) => page.getByRole('article', { name: /^Answer of/ }).last();

/** Milliseconds until the end of a conversation is drawn. */
async function open(page, id) {
	const begun = performance.now();
	await page.goto(`${origin}/c/${id}`);
	await lastAnswer(page).locator('.markdown').first().waitFor({ timeout: 60_000 });
	return performance.now() - begun;
}

async function stream(page, id) {
	await open(page, id);
	const composer = page.getByRole('textbox', { name: 'Message', exact: true });
	await composer.fill(SAID);
	await composer.press('Enter');
	await page.locator('article[aria-busy="true"] .markdown').first().waitFor({ timeout: 60_000 });
	const seen = await watch(page, STREAM_MS);
	if ((await lastAnswer(page).getAttribute('aria-busy')) !== 'true')
		throw new Error('the answer ended too soon');
	const written = (await lastAnswer(page).innerText()).length;
	if (written < 2_000) throw new Error(`only ${written} letters were drawn while it was measured`);
	await page.getByRole('button', { name: 'Stop' }).click();
	return seen;
}

async function scroll(page, id) {
	await open(page, id);
	const region = page.getByRole('region', { name: 'Messages' });
	await region.hover();
	const watching = watch(page, SCROLL_MS);
	const until = performance.now() + SCROLL_MS;
	while (performance.now() < until) await page.mouse.wheel(0, -700);
	const drawn = await page.getByRole('article').count();
	return { ...(await watching), drawn };
}

const browser = await chromium.launch({
	executablePath,
	args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
});
try {
	const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 900 } });
	const answer = await context.request.post(`${origin}/api/v1/session`, {
		data: { email, password },
		headers: { origin }
	});
	if (!answer.ok()) throw new Error(`signing in answered ${answer.status()}`);
	const page = await context.newPage();
	await open(page, short);
	const idle = await watch(page, 3_000);
	const figures = { idle, stream_short: await stream(page, short), stream_long: await stream(page, long) };
	const [openShort, openLong] = [[], []];
	for (let round = 0; round < 5; round += 1) {
		openShort.push(await open(page, short));
		openLong.push(await open(page, veryLong));
	}
	const scrolled = await scroll(page, veryLong);
	console.log(
		JSON.stringify({ ...figures, scroll: scrolled, open_short_ms: openShort, open_long_ms: openLong })
	);
} finally {
	await browser.close();
}
