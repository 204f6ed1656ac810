// What happens to an answer when the way to it is cut.
import { startAgent } from './agent.mjs';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	answerText,
	api,
	chooseModel,
	complete,
	composer,
	counted,
	enter,
	growing,
	lastAnswer,
	picture,
	says,
	send
} from './page.mjs';

async function offline(all) {
	const page = await enter(all, views['390 px, light']);
	await chooseModel(page, 'counter');
	await send(page, 'Count. [[tokens=200 rate=25]]');
	await growing(page, 30);
	await page.context().setOffline(true);
	await page.getByText(/You are offline|Reconnecting/).waitFor();
	await accessible(page, 'offline');
	await picture(page, 'offline phone');
	await page.waitForTimeout(1_500);
	await page.context().setOffline(false);
	await until(
		'the banner to go',
		20_000,
		async () => (await page.getByText(/You are offline|Reconnecting/).count()) === 0
	);
	await complete(page);
	await says(page, counted(200));
}

/** The answer ends while nobody hears it, and its message is read before its stream has caught up. */
async function endedMeanwhile(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'counter');
	await send(page, 'Count. [[tokens=60 rate=25]]');
	await growing(page, 20);
	await page.context().setOffline(true);
	await page.getByText(/You are offline|Reconnecting/).waitFor();
	const id = page.url().split('/').pop();
	const other = await enter(all);
	await until('the answer to end', 20_000, async () => {
		const { items } = await api(other, all, 'GET', `/conversations/${id}/messages`);
		return items.at(-1).status === 'complete';
	});
	await page.route('**/subscriptions', async (route) => {
		await new Promise((done) => setTimeout(done, 1_500));
		await route.continue();
	});
	await page.context().setOffline(false);
	await complete(page);
	await page.waitForTimeout(300);
	expect(await answerText(page)).equals(counted(60), 'the whole answer as soon as it is said to be complete');
	await page.waitForTimeout(2_000);
	expect(await answerText(page)).equals(counted(60), 'and after its stream has caught up');
}

async function restart(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'counter');
	await send(page, 'Count. [[tokens=3000 rate=40]]');
	await growing(page, 60);
	await all.stoa.end('SIGKILL');
	const seen = await answerText(page);
	await page.getByText('Reconnecting').waitFor();
	await all.stoa.start();
	await until(
		'the stream to be back',
		30_000,
		async () => (await page.getByText('Reconnecting').count()) === 0
	);
	// The lease of the killed server ends, and what it had written down is there to be continued.
	await lastAnswer(page).getByText('This was interrupted').waitFor({ timeout: 60_000 });
	const kept = await answerText(page);
	expect(counted(3_000).startsWith(kept)).equals(true, 'what is kept is what was written');
	expect(seen.length - kept.length).atMost(80, 'letters lost of what was seen');
	await accessible(page, 'an interrupted answer');
	await picture(page, 'interrupted');
	await page.getByRole('button', { name: 'Continue' }).click();
	await until('more of it', 20_000, async () => (await answerText(page)).length > kept.length + 10);
	await complete(page);
}

/** What a browser itself calls outlives the server: it goes on uploading to the one that comes back. */
async function ownRestart(all) {
	const agent = await startAgent({ origin: all.stoa.origin });
	const page = await enter(all, views['1440 px, light']);
	const base_url = `http://${agent.authority}/v1`;
	const own = await api(page, all, 'POST', '/personal-providers', { name: 'Mine', slug: 'mine', base_url });
	const models = [{ name: 'street-agent', enabled: true }];
	await api(page, all, 'PUT', `/personal-providers/${own.id}/models`, { models });
	// Only a page that is loaded now may call it.
	await page.reload();
	await chooseModel(page, 'street-agent');
	await send(page, '[slow] Count, please.');
	await growing(page, 40);
	await all.stoa.end('SIGKILL');
	await page.getByText('Reconnecting').waitFor();
	await all.stoa.start();
	await complete(page);
	await says(page, Array.from({ length: 200 }, (_, place) => place + 1).join(' '));
	await api(page, all, 'DELETE', `/personal-providers/${own.id}`);
	const asked = `asked http://${agent.authority}`;
	page.complaints.splice(0, Infinity, ...page.complaints.filter((complaint) => complaint !== asked));
	agent.close();
}

async function reader(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'lorem');
	await send(page, 'Much. [[tokens=900 rate=0]]');
	await complete(page);
	await send(page, 'More. [[tokens=600 rate=120]]');
	await growing(page, 400);
	const scroller = page.getByRole('region', { name: 'Messages' });
	const rest = () => scroller.evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
	await until('the view to follow', 5_000, async () => (await rest()) < 4);
	const box = await scroller.boundingBox();
	await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
	await page.mouse.wheel(0, -300);
	await page.waitForTimeout(400);
	const top = await scroller.evaluate((node) => node.scrollTop);
	await page.waitForTimeout(1_200);
	expect(await scroller.evaluate((node) => node.scrollTop)).equals(top, 'the reader is left alone');
	await page.getByRole('button', { name: 'Jump to latest' }).click();
	await until('the end', 5_000, async () => (await rest()) < 4);
	await complete(page);
	await until('the view to be at the end', 5_000, async () => (await rest()) < 4);
}

async function tabs(all) {
	const first = await enter(all, views['1440 px, light']);
	await chooseModel(first, 'counter');
	await send(first, 'Count. [[tokens=100 rate=20]]');
	await first.waitForURL('**/c/*');
	const others = [];
	for (let tab = 0; tab < 4; tab++) {
		const page = Object.assign(await first.context().newPage(), { complaints: [] });
		await page.goto(first.url());
		others.push(page);
	}
	for (const page of others) {
		await complete(page);
		// A tab that nobody looks at draws when it gets round to it.
		await says(page, counted(100));
	}
	await send(others[0], 'And again. [[tokens=5]]');
	await says(first, counted(5));
	await composer(first).waitFor();
}

/** The application starts without a network, from what its service worker has kept: its own files and nothing else. */
async function startsOffline(all) {
	const page = await enter(all, { ...views['390 px, light'], serviceWorkers: 'allow' });
	await page.evaluate(() => navigator.serviceWorker.ready);
	await until('the worker to answer', 20_000, () =>
		page.evaluate(() => !!navigator.serviceWorker.controller)
	);
	await chooseModel(page, 'echo');
	await send(page, 'Something private.');
	await complete(page);
	await page.reload();
	await composer(page).waitFor();
	await page.goto(`${all.stoa.origin}/settings/profile`);
	await page.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();
	const kept = await page.evaluate(async () => {
		const names = await caches.keys();
		const all = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
		return all.flat().map(({ url }) => new URL(url).pathname);
	});
	expect(kept.length > 5).equals(true, 'files are kept');
	expect(kept.filter((path) => path !== '/' && !path.startsWith('/assets/immutable/'))).equals(
		[],
		'kept besides'
	);

	await page.context().setOffline(true);
	await page.reload();
	await page.getByText('Stoa cannot be reached').first().waitFor();
	await accessible(page, 'a start without a network');
	await picture(page, 'started offline');
	await page.context().setOffline(false);
	await page.reload();
	await page.getByRole('heading', { level: 1, name: 'Profile' }).waitFor();
	const { icons } = await (await page.request.get(`${all.stoa.origin}/manifest.webmanifest`)).json();
	for (const { src, type } of icons) {
		const icon = await page.request.get(all.stoa.origin + src);
		expect([icon.status(), icon.headers()['content-type']]).equals([200, type], src);
	}
}

export const resilienceTests = [
	{ name: 'five tabs share an answer', run: tabs },
	{ name: 'the view follows the end and never fights the reader', run: reader },
	{ name: 'a lost network is mended by itself', run: offline },
	{ name: 'an answer that ended while the network was away is whole', run: endedMeanwhile },
	{ name: 'the application starts without a network', run: startsOffline },
	{ name: 'a killed server costs nothing that was kept', run: restart },
	{ name: 'a killed server costs an answer of this browser nothing', run: ownRestart }
];
