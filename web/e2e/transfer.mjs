// What people take with them, and what they bring along.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from './expect.mjs';
import { pictures, views } from './harness.mjs';
import { accessible, api, chooseModel, complete, newcomer, picture, send } from './page.mjs';

const chatgpt = new URL('../../crates/server/tests/account/exports/chatgpt.json', import.meta.url);

async function saved(page, click) {
	const [download] = await Promise.all([page.waitForEvent('download'), click()]);
	return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
}

const exported = (view) => async (all) => {
	const page = await newcomer(all, `Xan${view.replace(/\W/g, '')}`, views[view], '/');
	await chooseModel(page, 'echo');
	await send(page, 'Keep this');
	await complete(page);
	await api(page, all, 'PATCH', new URL(page.url()).pathname.replace('/c/', '/conversations/'), {
		title: 'Kept / 好'
	});
	await page.reload();
	await page
		.getByRole('banner')
		.or(page.getByRole('main'))
		.getByRole('button', { name: 'Actions for Kept / 好' })
		.last()
		.click();
	await page.getByRole('menuitem', { name: 'Export…' }).click();
	await page.getByRole('dialog', { name: 'Export conversation' }).waitFor();
	await accessible(page, `export, ${view}`);
	await picture(page, `export ${view}`);
	const markdown = await saved(page, () => page.getByRole('link', { name: 'Save as Markdown' }).click());
	expect(markdown.name).equals('Kept - 好.md');
	expect(markdown.text.startsWith('# Kept / 好\n')).equals(true, markdown.text);
	expect(markdown.text.includes('\nKeep this\n')).equals(true, markdown.text);
	const json = await saved(page, () => page.getByRole('link', { name: 'Save as JSON' }).click());
	expect(JSON.parse(json.text).entries.map(({ type }) => type)).equals([
		'conversation',
		'message',
		'message',
		'end'
	]);

	await page.goto(`${all.stoa.origin}/settings/data`);
	await page.getByRole('heading', { name: 'Your data', level: 1 }).waitFor();
	const everything = await saved(page, () => page.getByRole('link', { name: 'Export everything' }).click());
	expect(/^stoa-[\d-]{10}\.jsonl$/.test(everything.name)).equals(true, everything.name);
	expect(everything.text.trim().split('\n').length).equals(5);
};

/** How many colours an image has: letters on their ground have some. */
function colours(page, bytes) {
	return page.evaluate(async (base64) => {
		const image = new Image();
		image.src = `data:image/png;base64,${base64}`;
		await image.decode();
		const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
		context.drawImage(image, 0, 0);
		const { data } = context.getImageData(0, 0, image.width, image.height);
		const seen = new Set();
		for (let at = 0; at < data.length; at += 4) {
			seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
		}
		return seen.size;
	}, bytes.toString('base64'));
}

const drawn = (view) => async (all) => {
	const page = await newcomer(all, `Wim${view.replace(/\W/g, '')}`, views[view], '/');
	await chooseModel(page, 'markdown');
	await send(page, 'Show me everything.');
	await complete(page);
	await page.locator('.katex').first().waitFor();
	await api(page, all, 'PATCH', new URL(page.url()).pathname.replace('/c/', '/conversations/'), {
		title: 'Drawn / 画'
	});
	await page.reload();
	await page.locator('.katex').first().waitFor();
	await page.getByRole('main').getByRole('button', { name: 'Actions for Drawn / 画' }).last().click();
	await page.getByRole('menuitem', { name: 'Export…' }).click();
	const [download] = await Promise.all([
		page.waitForEvent('download'),
		page.getByRole('button', { name: 'Save as image' }).click()
	]);
	expect(download.suggestedFilename()).equals('Drawn-画.png');
	const bytes = readFileSync(await download.path());
	expect(bytes.subarray(1, 4).toString()).equals('PNG');
	expect(bytes.readUInt32BE(16)).equals(1520, 'the width of the image');
	expect(bytes.readUInt32BE(20) > 1000).equals(true, `an image ${bytes.readUInt32BE(20)} px high`);
	await download.saveAs(join(pictures, `drawn-${view.replace(/\W+/g, '-')}.png`));
	const count = await colours(page, bytes);
	expect(count > 50).equals(true, `letters on their ground, of ${count} colours`);
};

const brought = (view) => async (all) => {
	const page = await newcomer(all, `Yan${view.replace(/\W/g, '')}`, views[view], '/settings/data');
	await page.getByRole('heading', { name: 'Your data', level: 1 }).waitFor();
	await accessible(page, `data, ${view}`);
	const choose = async (name, buffer) => {
		const chooser = page.waitForEvent('filechooser');
		await page.getByRole('button', { name: 'Choose a file…' }).click();
		await (await chooser).setFiles({ name, mimeType: 'application/octet-stream', buffer });
	};
	await choose('photo.gz', gzipSync('no export'));
	await page.getByText('This file cannot be imported').waitFor();
	await choose('conversations.json', readFileSync(chatgpt));
	const outcome = page.getByRole('status').filter({ hasText: 'Imported from ChatGPT' });
	await outcome.getByRole('row', { name: 'Messages 4 0' }).waitFor();
	await outcome.getByText('Pictures: 1').waitFor();
	await accessible(page, `an import, ${view}`);
	await picture(page, `import ${view}`);
	await choose('conversations.json', readFileSync(chatgpt));
	await outcome.getByRole('row', { name: 'Messages 0 4' }).waitFor();
	await page.goto(`${all.stoa.origin}/conversations`);
	await page.getByRole('link', { name: 'Tea ceremony' }).last().click();
	await page.getByText('In a zigzag, with a bamboo whisk.').waitFor();
};

export const transferTests = ['1440 px, light', '390 px, dark'].flatMap((view) => [
	{ name: `a conversation and everything are exported, ${view}`, run: exported(view) },
	{ name: `a conversation is saved as an image, ${view}`, run: drawn(view) },
	{ name: `conversations of another chat are imported, ${view}`, run: brought(view) }
]);
