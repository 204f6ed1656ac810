// Pictures in a turn: pasted, dropped and chosen, refused with a word, sent, seen large, and kept when a question is edited.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	answerText,
	api,
	chooseModel,
	complete,
	composer,
	enter,
	newcomer,
	picture,
	questions,
	says
} from './page.mjs';

const tray = (page) => page.getByRole('list', { name: 'Pictures' }).first();
const sendButton = (page) => page.getByRole('button', { name: 'Send', exact: true });

/** A real picture: a piece of the page itself. */
async function shot(page, width, height) {
	return (await page.screenshot({ clip: { x: 0, y: 0, width, height } })).toString('base64');
}

/** Hands files over as a clipboard or a mouse does. */
async function hand(page, type, files) {
	await composer(page).evaluate(
		(field, { type, files }) => {
			const data = new DataTransfer();
			for (const { name, kind, base64 } of files) {
				const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
				data.items.add(new File([bytes], name, { type: kind }));
			}
			const options = { bubbles: true, cancelable: true };
			const event =
				type === 'paste'
					? new ClipboardEvent(type, { ...options, clipboardData: data })
					: new DragEvent(type, { ...options, dataTransfer: data });
			if (field.dispatchEvent(event)) throw new Error(`nobody took the ${type}`);
		},
		{ type, files }
	);
}

const uploaded = (page, count) =>
	until(`${count} pictures to be sent`, 30_000, async () => {
		const waiting = await page.getByRole('progressbar').count();
		return waiting === 0 && (await tray(page).getByRole('listitem').count()) === count;
	});

const turn = (view) => async (all) => {
	const page = await enter(all, views[view]);
	await chooseModel(page, 'echo');
	const png = { name: 'pasted.png', kind: 'image/png', base64: await shot(page, 380, 200) };
	await hand(page, 'paste', [png]);
	await hand(page, 'dragover', [png]);
	await hand(page, 'drop', [{ ...png, name: 'dropped.png', base64: await shot(page, 120, 300) }]);
	const chosen = {
		name: '猫.png',
		mimeType: 'image/png',
		buffer: Buffer.from(await shot(page, 60, 60), 'base64')
	};
	await page.locator('input[type=file]').setInputFiles([chosen]);
	await uploaded(page, 3);
	await accessible(page, `pictures before they are sent, ${view}`);
	await picture(page, `pictures tray ${view}`);
	await page.getByRole('button', { name: 'Remove dropped.png' }).click();
	expect(await tray(page).getByRole('listitem').count()).equals(2);

	await composer(page).fill('What do you see?');
	await composer(page).press('Enter');
	await page.waitForURL('**/c/*');
	await complete(page);
	await says(page, 'What do you see? [saw image/png] [saw image/png]');
	const question = questions(page).last();
	await until('the pictures to be drawn', 20_000, () =>
		question.locator('img').evaluateAll((all) => all.length === 2 && all.every((img) => img.naturalWidth > 0))
	);
	await accessible(page, `pictures in a question, ${view}`);
	await picture(page, `pictures question ${view}`);

	// Large, with keys alone, and the focus stays inside.
	await question.getByRole('button', { name: 'Show pasted.png large' }).focus();
	await page.keyboard.press('Enter');
	const box = page.getByRole('dialog', { name: 'Pictures' });
	await box.getByText('1 of 2').waitFor();
	await accessible(page, `a picture shown large, ${view}`);
	await picture(page, `pictures large ${view}`);
	await page.keyboard.press('ArrowRight');
	await box.getByText('2 of 2').waitFor();
	await box.getByText('猫.png').waitFor();
	await page.keyboard.press('ArrowRight');
	await box.getByText('1 of 2').waitFor();
	for (let step = 0; step < 6; step += 1) {
		await page.keyboard.press('Tab');
		const outside = await page.evaluate(() => {
			const { activeElement } = document;
			return activeElement !== document.body && !activeElement?.closest('dialog');
		});
		expect(outside).equals(false, 'the focus stays in the dialog');
	}
	await page.keyboard.press('Escape');
	await box.waitFor({ state: 'hidden' });
	const back = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
	expect(back).equals('Show pasted.png large', 'the focus comes back');

	// Another wording keeps them, and they are there after a reload, in places that do not move.
	await question.hover();
	await question.getByRole('button', { name: 'Edit' }).click();
	const editor = page.getByRole('textbox', { name: 'Edit message' });
	await editor.fill('And now?');
	await editor.press('Enter');
	await until('the answer', 20_000, async () => {
		return (await answerText(page)) === 'And now? [saw image/png] [saw image/png]';
	});
	await complete(page);
	await page.addInitScript(() => {
		globalThis.shift = 0;
		new PerformanceObserver((list) => {
			for (const { value, hadRecentInput, sources } of list.getEntries()) {
				const pictures = sources.some(({ node }) => node?.closest?.('[aria-label="You wrote"]'));
				if (!hadRecentInput && pictures) globalThis.shift += value;
			}
		}).observe({ type: 'layout-shift', buffered: true });
	});
	await page.reload();
	await until('the pictures after a reload', 20_000, () =>
		questions(page)
			.last()
			.locator('img')
			.evaluateAll((all) => all.length === 2 && all.every((img) => img.naturalWidth > 0))
	);
	const [first] = await questions(page)
		.last()
		.locator('li')
		.evaluateAll((all) => all.map((item) => item.getBoundingClientRect().height));
	expect(first > 40).equals(true, 'a picture has its place');
};

/** A picture by itself keeps its shape before a byte of it is there. */
async function placesBeforePictures(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'echo');
	await hand(page, 'paste', [{ name: 'wide.png', kind: 'image/png', base64: await shot(page, 300, 150) }]);
	await uploaded(page, 1);
	// A picture alone is a message.
	await sendButton(page).click();
	await page.waitForURL('**/c/*');
	await complete(page);
	await page.route('**/api/v1/files/**', (route) => route.abort());
	await page.reload();
	const place = questions(page).last().getByRole('button', { name: 'Show wide.png large' });
	await place.waitFor();
	const { width, height } = await place.boundingBox();
	expect([Math.round(width), Math.round(height)]).equals([300, 150]);
}

async function refusals(all) {
	const page = await enter(all, views['390 px, light']);
	await chooseModel(page, 'echo');
	const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64');
	await hand(page, 'paste', [{ name: 'drawing.png', kind: 'image/png', base64: svg }]);
	await page.getByText('No picture that can be sent').waitFor();
	await composer(page).fill('Look');
	expect(await sendButton(page).isDisabled()).equals(true, 'nothing goes with a picture that did not come');
	await accessible(page, 'a refused picture');
	await picture(page, 'pictures refused');
	await page.getByRole('button', { name: 'Remove drawing.png' }).click();
	expect(await sendButton(page).isDisabled()).equals(false);

	// A lost connection: told, and sent again by a press.
	const png = { name: 'cat.png', kind: 'image/png', base64: await shot(page, 100, 100) };
	await page.route('**/api/v1/files?*', (route) => route.abort());
	await hand(page, 'paste', [png]);
	await page.getByText('The connection was lost').waitFor();
	await page.unroute('**/api/v1/files?*');
	await page.getByRole('button', { name: 'Send cat.png again' }).click();
	await uploaded(page, 1);
	// More than a message takes.
	await hand(
		page,
		'paste',
		Array.from({ length: 9 }, () => png)
	);
	await page.getByText('A message takes at most 8 pictures.').waitFor();
	await uploaded(page, 8);

	// Enter while a picture is on its way waits for it.
	for (let left = 8; left > 0; left -= 1)
		await page
			.getByRole('button', { name: /^Remove/ })
			.first()
			.click();
	await page.route('**/api/v1/files?*', async (route) => {
		await new Promise((done) => setTimeout(done, 1_500));
		await route.continue();
	});
	await hand(page, 'paste', [png]);
	await page.getByRole('progressbar').waitFor();
	await composer(page).press('Enter');
	await page.waitForURL('**/c/*');
	await complete(page);
	await says(page, 'Look [saw image/png]');
}

async function blindModels(all) {
	const page = await enter(all, views['1440 px, dark']);
	const { items } = await api(page, all, 'GET', '/providers');
	const mock = items.find(({ slug }) => slug === 'mock');
	const models = mock.models.map((model) =>
		model.name === 'lorem' ? { ...model, abilities: ['tools'] } : model
	);
	await api(page, all, 'PUT', `/providers/${mock.id}/models`, { models });
	try {
		await page.reload();
		await chooseModel(page, 'lorem');
		await hand(page, 'paste', [{ name: 'cat.png', kind: 'image/png', base64: await shot(page, 100, 100) }]);
		await uploaded(page, 1);
		await page.getByText('This model takes no pictures. Choose another one.').waitFor();
		expect(await sendButton(page).isDisabled()).equals(true);
		await accessible(page, 'a model that takes no pictures');
		await picture(page, 'pictures blind');
		await chooseModel(page, 'echo');
		await sendButton(page).click();
		await complete(page);
		await says(page, '[saw image/png]');
		// Later it goes on without them, and says so to the model alone.
		await chooseModel(page, 'lorem');
		await composer(page).fill('Go on');
		await composer(page).press('Enter');
		await complete(page);
		// Asking it again about the picture is refused.
		const first = page.getByRole('article', { name: /^Answer of/ }).first();
		await first.hover();
		await first.getByRole('button', { name: 'Answer again' }).click();
		await page.getByText('This model takes no pictures').first().waitFor();
	} finally {
		await api(page, all, 'PUT', `/providers/${mock.id}/models`, { models: mock.models });
	}
}

async function inChinese(all) {
	const page = await newcomer(all, 'Wei', { ...views['390 px, dark'], locale: 'zh-CN' }, '/');
	// One that is not known to take no pictures, as the model of this machine is.
	await page.evaluate(() => localStorage.setItem('stoa-model', 'mock/echo'));
	await page.reload();
	const field = page.getByRole('textbox', { name: '消息', exact: true });
	await field.waitFor();
	const buffer = Buffer.from(await shot(page, 200, 120), 'base64');
	await page.locator('input[type=file]').setInputFiles([{ name: '图.png', mimeType: 'image/png', buffer }]);
	await page.getByRole('button', { name: '移除 图.png' }).waitFor();
	await until('it to be sent', 20_000, async () => (await page.getByRole('progressbar').count()) === 0);
	await accessible(page, 'pictures in Chinese');
	await picture(page, 'pictures chinese');
	// It is nobody else's.
	const other = await enter(all);
	const sent = page.waitForRequest(
		(request) => request.method() === 'POST' && /\/messages$/.test(request.url())
	);
	await field.press('Enter');
	const { parts } = (await sent).postDataJSON();
	const answer = await other.request.get(`${all.stoa.origin}/api/v1/files/${parts[0].file_id}`);
	expect(answer.status()).equals(404);
}

export const pictureTests = [
	...Object.keys(views).map((view) => ({ name: `pictures in a turn, ${view}`, run: turn(view) })),
	{ name: 'pictures have their places before they come', run: placesBeforePictures },
	{ name: 'pictures that cannot be sent are told, and can be sent again', run: refusals },
	{ name: 'pictures and a model that takes none', run: blindModels },
	{ name: 'pictures in Chinese, and of nobody else', run: inChinese }
];
