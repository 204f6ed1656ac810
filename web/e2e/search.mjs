// Search: words of titles and messages, in two languages; from a hit to its message, on its branch, however far above.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { accessible, api, complete, composer, newcomer, picture, questions, send } from './page.mjs';

const field = (page) => page.getByRole('combobox', { name: 'Search, or say what to do' });
const options = (page) => page.getByRole('option');

async function say(page, all, id, text, more = {}) {
	const body = { parts: [{ type: 'text', text }], model: 'mock/echo', ...more };
	return api(page, all, 'POST', `/conversations/${id}/messages`, body);
}

async function search(page, words) {
	if ((await field(page).count()) === 0) await page.keyboard.press('Control+k');
	await field(page).fill(words);
}

/** Waits until the answers are written, so that all of it can be found. */
async function written(page, all, id) {
	await until('the answers', 20_000, async () => {
		const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
		return items.every(({ status }) => status === 'complete');
	});
}

const inView = (page, text) =>
	page
		.getByText(text, { exact: true })
		.first()
		.evaluate((node) => {
			const { top, bottom } = node.getBoundingClientRect();
			return top >= 0 && bottom <= innerHeight;
		});

const found = (view) => async (all) => {
	const page = await newcomer(all, `Sef${view.replace(/\W/g, '')}`, views[view], '/');
	const { id } = await api(page, all, 'POST', '/conversations', { title: 'Lighthouses of the north' });
	await say(
		page,
		all,
		id,
		'The keeper of the lighthouse counts the ships, and writes a crème brûlée recipe.'
	);
	const other = await api(page, all, 'POST', '/conversations', { title: '周末计划' });
	await say(page, all, other.id, '我们明天早上去爬长城，晚上再学习。');
	await written(page, all, id);
	await written(page, all, other.id);
	await page.reload();
	await composer(page).waitFor();

	if (view.startsWith('390')) {
		await page.getByRole('link', { name: 'Chat', exact: true }).click();
		await page.getByRole('button', { name: 'Search', exact: true }).click();
	} else await page.keyboard.press('Control+k');
	// Nothing typed: the latest conversations.
	await options(page).filter({ hasText: '周末计划' }).waitFor();
	await accessible(page, `the search, ${view}`);
	await picture(page, `search empty ${view}`);

	await field(page).fill('lightho');
	await options(page).filter({ hasText: 'counts the ships' }).first().waitFor();
	await until('the three places', 10_000, async () => (await options(page).count()) === 3);
	expect(await options(page).first().locator('mark').allInnerTexts()).equals(['Lighthouses'], 'titles first');
	expect(await options(page).nth(1).locator('mark').allInnerTexts()).equals(['lighthouse']);
	expect(
		await options(page).nth(1).getByText('Answer:').or(options(page).nth(1).getByText('You:')).count()
	).equals(1);
	await accessible(page, `what was found, ${view}`);
	await picture(page, `search found ${view}`);

	// Accents and case do not matter, quotes do, and Chinese needs no spaces.
	await field(page).fill('CREME brulee');
	await until('the recipe', 10_000, async () => {
		return String(await options(page).first().locator('mark').allInnerTexts()) === 'crème,brûlée';
	});
	await field(page).fill('"brulee creme"');
	await page.getByText('Nothing found').first().waitFor();
	await accessible(page, `nothing found, ${view}`);
	await picture(page, `search nothing ${view}`);
	await field(page).fill('爬长城');
	await until('the wall', 10_000, async () => {
		return (await options(page).count()) === 2 && (await options(page).first().locator('mark').count()) === 1;
	});
	expect(await options(page).first().locator('mark').innerText()).equals('爬长城');
	await picture(page, `search chinese ${view}`);

	// A server that does not answer says so, and is asked again.
	await page.route('**/api/v1/search?*', (route) => route.fulfill({ status: 503, json: { code: 'busy' } }));
	await field(page).fill('keeper');
	await page.getByRole('button', { name: 'Try again' }).waitFor();
	await accessible(page, `a failed search, ${view}`);
	await page.unroute('**/api/v1/search?*');
	await page.getByRole('button', { name: 'Try again' }).click();
	await options(page).filter({ hasText: 'counts the ships' }).first().waitFor();

	// The page is served to its reader as text: what looks like a tag is none.
	await say(page, all, id, '<img src=x onerror=alert(1)> lantern');
	await written(page, all, id);
	await field(page).fill('lantern');
	await options(page).filter({ hasText: '<img src=x onerror=alert(1)> lantern' }).first().waitFor();

	await field(page).fill('keeper counts');
	await options(page).nth(1).waitFor();
	await field(page).press('ArrowDown');
	await field(page).press('Enter');
	await page.waitForURL(`**/c/${id}`);
	await page.locator('.marked').waitFor();
	await until('the keeper in view', 5_000, () =>
		page.locator('.marked').evaluate((node) => node === document.activeElement)
	);
	await accessible(page, `a message that was found, ${view}`);
	await picture(page, `search message ${view}`);
};

async function far(all) {
	const TURNS = 260;
	const page = await newcomer(all, 'Faye', views['1440 px, light'], '/');
	const { id } = await api(page, all, 'POST', '/conversations', { title: 'Long' });
	for (let made = 0; made < TURNS;) {
		try {
			await say(page, all, id, made === 20 ? 'The pebble was here' : `Turn ${made}`);
			made += 1;
		} catch {
			// So many answers at once are refused.
			await page.waitForTimeout(30);
		}
	}
	await written(page, all, id);
	await page.goto(`${all.stoa.origin}/c/${id}`);
	await page
		.getByText(`Turn ${TURNS - 1}`)
		.first()
		.waitFor();
	await search(page, 'pebble here');
	await options(page).filter({ hasText: 'You:' }).click();
	await page.locator('.marked').waitFor();
	await until('the pebble in view', 5_000, () => inView(page, 'The pebble was here'));
	await picture(page, 'search far above');
	// Not the whole conversation was read for that.
	expect(await questions(page).count()).atMost(40, 'messages in the page');
	expect(await page.getByText(`Turn ${TURNS - 1}`).count()).equals(0);

	// Down from there, page by page, and up.
	const scroller = page.getByRole('region', { name: 'Messages' });
	const scroll = (by) => scroller.evaluate((node, by) => node.scrollBy(0, by), by);
	await until('turn 60', 20_000, async () => {
		await scroll(700);
		return (await page.getByText('Turn 60', { exact: true }).count()) > 0;
	});
	await until('the first turn', 20_000, async () => {
		await scroll(-2_000);
		return (await page.getByText('Turn 0', { exact: true }).count()) > 0;
	});
	// What is said from up there goes to the end.
	await send(page, 'At the very end');
	await complete(page);
	await page.getByText('At the very end').first().waitFor();
	const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
	// What was answered far above, while much was asked at once, is nothing to go by.
	const asked = items.filter(({ role }) => role === 'user').map(({ parts }) => parts[0].text);
	expect([...asked.slice(-2), items.at(-1).parts[0].text]).equals([
		`Turn ${TURNS - 1}`,
		'At the very end',
		'At the very end'
	]);

	await search(page, 'pebble here');
	await options(page).filter({ hasText: 'You:' }).click();
	await until('the pebble again', 10_000, () => inView(page, 'The pebble was here'));
	await page.getByRole('button', { name: 'Jump to latest' }).click();
	await until('the end', 10_000, () => inView(page, 'At the very end'));
}

async function otherBranch(all) {
	const page = await newcomer(all, 'Bran', views['1440 px, light'], '/');
	const { id } = await api(page, all, 'POST', '/conversations', { title: 'Forked' });
	const first = await say(page, all, id, 'About marmots');
	await say(page, all, id, 'More about marmots', { parent_id: first.reply_id });
	await say(page, all, id, 'About beavers', { parent_id: null });
	await written(page, all, id);
	await page.goto(`${all.stoa.origin}/c/${id}`);
	await page.getByText('About beavers').first().waitFor();
	expect(await page.getByText('About marmots').count()).equals(0);
	await search(page, '"about marmots" more');
	await options(page).filter({ hasText: 'You:' }).click();
	await page.getByText('More about marmots').first().waitFor();
	await page.getByText('About marmots', { exact: true }).first().waitFor();
	expect(await page.getByText('About beavers').count()).equals(0);
	const conversation = await api(page, all, 'GET', `/conversations/${id}`);
	const shown = await api(page, all, 'GET', `/conversations/${id}/messages`);
	expect(shown.items[0].parts[0].text).equals('About marmots');
	expect(shown.leaf_id).equals(conversation.leaf_id);

	// A message that is there no more says so, and the conversation is shown as it is.
	await page.goto(`${all.stoa.origin}/c/${id}?message=00000000-0000-7000-8000-000000000000`);
	await page.getByText('This message is not there any more').first().waitFor();
	await page.getByText('More about marmots').first().waitFor();
}

export const searchTests = [
	...['1440 px, light', '1440 px, dark', '390 px, light', '390 px, dark'].map((view) => ({
		name: `search finds titles and messages, ${view}`,
		run: found(view)
	})),
	{ name: 'search leads to a message far above, and from there to both ends', run: far },
	{ name: 'search opens the branch of what was found', run: otherBranch }
];
