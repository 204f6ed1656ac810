// A function from its template to a model that people chat with, and on to a second version that gets a share of the calls.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from './expect.mjs';
import { owner, until, views } from './harness.mjs';
import { accessible, api, complete, composer, enter, picture, says, send } from './page.mjs';

const LATE = 30_000;
const editor = (page) => page.getByRole('textbox', { name: 'Code editor' });
const tab = (page, name) => page.getByRole('tab', { name });
const saved = (page) => page.getByRole('status').filter({ hasText: /^\s*Saved\s*$/ });

/** Writes a file anew, as if it were pasted: what is typed gets brackets closed and lines indented. */
async function paste(page, text) {
	await editor(page).click();
	await page.keyboard.press('ControlOrMeta+a');
	await editor(page).evaluate((element, pasted) => {
		const clipboardData = new DataTransfer();
		clipboardData.setData('text/plain', pasted);
		element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
	}, text);
}

/** On a narrow screen one part of the workshop is shown at a time. */
async function part(page, name) {
	const choice = page.getByRole('radio', { name, exact: true });
	if ((await choice.count()) > 0) await choice.check({ force: true });
}

/** The template's code with another first sentence. */
async function saying(page, all, id, sentence) {
	const { text } = await api(page, all, 'GET', `/functions/${id}/code/file?path=app.py`);
	return text.replace(/yield "[^"]*"/, `yield ${JSON.stringify(`${sentence} `)}`);
}

async function publish(page, note) {
	await page
		.getByRole('banner')
		.or(page.getByRole('main'))
		.getByRole('button', { name: 'Publish' })
		.first()
		.click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Note').fill(note);
	await dialog.getByRole('button', { name: 'Publish' }).click();
	await dialog.waitFor({ state: 'detached' });
}

const walk = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const name = view.startsWith('390') ? 'narrow-agent' : 'wide-agent';

	// From the template.
	await page.getByRole('link', { name: 'New function' }).first().click();
	await page.getByRole('heading', { name: 'Template' }).waitFor();
	await accessible(page, `a new function, ${view}`);
	await picture(page, `function new ${view}`);
	await page.getByRole('radio', { name: 'Agent, Python', exact: true }).check({ force: true });
	await page.getByRole('textbox', { name: /^Title/ }).fill(name.replace('-', ' '));
	expect(await page.getByRole('textbox', { name: 'Name', exact: true }).inputValue()).equals(name);
	await page.getByRole('button', { name: 'Create function' }).click();
	await page.waitForURL(/\/functions\/[0-9a-f-]{36}$/);
	const id = page.url().split('/').pop();

	// Edited, saved and tried.
	await editor(page).waitFor();
	await paste(page, await saying(page, all, id, 'Hello from version one.'));
	await page.getByText('1 file not saved').waitFor();
	await page.keyboard.press('ControlOrMeta+s');
	await saved(page).waitFor();
	await accessible(page, `the code of a function, ${view}`);
	await picture(page, `function code ${view}`);
	await part(page, 'Test');
	const message = page.getByRole('textbox', { name: 'Message' });
	await message.fill('Hi');
	await message.press('Enter');
	const chat = page.getByRole('log', { name: 'Test chat' });
	await chat.getByText('Hello from version one. You said: Hi').waitFor({ timeout: LATE });
	await chat.getByText(/LATEST · cold start/).waitFor();
	await accessible(page, `a test call, ${view}`);
	await picture(page, `function test ${view}`);
	await part(page, 'Logs');
	await page.getByRole('log', { name: 'Logs' }).getByText('POST /v1/chat/completions').first().waitFor();
	await part(page, 'Code');

	// Published, and made a model.
	await publish(page, 'The first one');
	await tab(page, 'Versions').click();
	await page.getByText('The first one').waitFor();
	await page.getByRole('button', { name: 'Make it a model' }).click();
	await page.getByText(/It answered as a model should/).waitFor({ timeout: LATE });
	await accessible(page, `a function that is a model, ${view}`);
	await picture(page, `function model ${view}`);
	await page.getByRole('link', { name: 'Chat with it' }).click();
	await composer(page).waitFor();
	await send(page, 'Who are you?');
	await complete(page);
	await says(page, 'Hello from version one. You said: Who are you?');

	// A second version, for a tenth of the calls.
	await page.goto(`${all.stoa.origin}/functions/${id}`);
	await editor(page).waitFor();
	await until('the file to be shown', LATE, async () =>
		(await editor(page).innerText()).includes('version one')
	);
	await paste(page, await saying(page, all, id, 'Hello from version two.'));
	await publish(page, 'The second one');
	await tab(page, 'Versions').click();
	await page.getByText('The second one').waitFor();
	await page.getByRole('button', { name: 'Show changes' }).first().click();
	await page.getByText('yield "Hello from version two. "').first().waitFor();
	await accessible(page, `the changes of a version, ${view}`);
	await picture(page, `function changes ${view}`);
	await page.getByRole('button', { name: 'Edit alias live' }).click();
	await page.getByRole('switch', { name: 'Canary' }).click();
	await accessible(page, `a canary, ${view}`);
	await picture(page, `function canary ${view}`);
	await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
	const live = page.getByRole('article', { name: 'Alias live' });
	await live.getByText('Version 1: 90 %').waitFor();
	await live.getByText('Version 2: 10 %').waitFor();

	// Sixty calls, and what became of them.
	const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });
	const ask = { method: 'POST', path: '/v1/chat/completions', headers: [], body };
	const called = async () => {
		const answer = await page.request.post(`${all.stoa.origin}/api/v1/functions/${id}/try`, {
			data: { ...ask, target: 'live' },
			headers: { origin: all.stoa.origin }
		});
		expect(answer.status()).equals(200, 'a call by the alias');
	};
	for (let round = 0; round < 60; round++) await called();
	await tab(page, 'Metrics').click();
	const rows = page.getByRole('table', { name: 'By version' }).getByRole('row');
	const second = rows.filter({ hasText: 'live' }).filter({ hasText: 'Version 2' });
	await second.waitFor({ timeout: LATE });
	expect(/\d+(?:\.\d)?\s?%/.test(await second.innerText())).equals(true, 'the share of version 2');
	const people = page.getByRole('table', { name: 'By person' }).getByRole('row');
	await people.filter({ hasText: owner.name }).getByText('$').waitFor();
	await accessible(page, `the metrics of a function, ${view}`);
	await picture(page, `function metrics ${view}`);

	// Forward, and back.
	await tab(page, 'Versions').click();
	await live.getByRole('button', { name: 'Promote' }).click();
	await live.getByText('Version 2: 100 %').waitFor();
	await live.getByRole('button', { name: 'Roll back' }).click();
	await live.getByText('Version 1: 100 %').waitFor();
	await picture(page, `function versions ${view}`);

	// The log, the settings and the list.
	await tab(page, 'Logs').click();
	await called();
	await page.getByRole('log', { name: 'Logs' }).getByText('POST /v1/chat').first().waitFor();
	await page.getByRole('searchbox', { name: 'Search the log' }).fill('no such line');
	await page.getByText('Nothing found').first().waitFor();
	await accessible(page, `the log of a function, ${view}`);
	await tab(page, 'Settings').click();
	await page.getByRole('heading', { name: 'Size' }).waitFor();
	await page.getByLabel('Requests at once').fill('0');
	await page.getByRole('button', { name: 'Save' }).first().click();
	await page.getByText('From 1 to 1,000.').waitFor();
	await accessible(page, `settings with a fault, ${view}`);
	await page.getByLabel('Requests at once').fill('16');
	await page.getByRole('button', { name: 'Save' }).first().click();
	await page.getByText('Settings saved').first().waitFor();
	expect((await api(page, all, 'GET', `/functions/${id}`)).settings.concurrency).equals(16);
	await picture(page, `function settings ${view}`);
	await page.goto(`${all.stoa.origin}/functions`);
	await page.getByRole('link', { name: name.replace('-', ' ') }).waitFor();
	await accessible(page, `functions, ${view}`);
	await picture(page, `functions ${view}`);
	await api(page, all, 'DELETE', `/functions/${id}`);
};

async function conflict(all) {
	const page = await enter(all, views['1440 px, light'], '/functions');
	const made = await api(page, all, 'POST', '/functions', { name: 'contested', template: 'python-agent' });
	await page.goto(`${all.stoa.origin}/functions/${made.id}`);
	await editor(page).waitFor();
	const other = async (text) => {
		const { revision } = await api(page, all, 'GET', `/functions/${made.id}`);
		const changes = [{ path: 'theirs.txt', text }];
		await api(page, all, 'PUT', `/functions/${made.id}/code`, { revision, changes });
	};
	await other('one');
	await paste(page, 'mine = 1\n');

	// Leaving asks first.
	await page.getByRole('link', { name: 'All functions' }).click();
	await page.getByRole('alertdialog', { name: 'Leave without saving?' }).waitFor();
	await accessible(page, 'leaving a function');
	await page.keyboard.press('Escape');

	// Somebody else was faster: overwrite, then take theirs.
	await page.getByRole('button', { name: 'Save' }).click();
	const dialog = page.getByRole('dialog', { name: 'Somebody else has changed this function' });
	await dialog.waitFor();
	await accessible(page, 'a conflict');
	await dialog.getByRole('button', { name: 'Overwrite' }).click();
	await saved(page).waitFor();
	await other('two');
	await paste(page, 'mine = 2\n');
	await page.keyboard.press('ControlOrMeta+s');
	await dialog.getByRole('button', { name: 'Reload' }).click();
	await until('what is on the server', LATE, async () =>
		(await editor(page).innerText()).includes('mine = 1')
	);

	// The tree by keys, and a file that is made, moved and deleted.
	await page.getByRole('button', { name: 'New file' }).click();
	await page.getByLabel('Path').fill('lib/tools.py');
	await page.getByRole('button', { name: 'Create file' }).click();
	const files = page.getByRole('tree', { name: 'Files' });
	const item = (called) => files.getByRole('treeitem', { name: called, exact: true });
	await item('tools.py').focus();
	await page.keyboard.press('ArrowLeft');
	await until('the focus on the folder', LATE, () =>
		item('lib').evaluate((node) => node === document.activeElement)
	);
	await page.keyboard.press('ArrowLeft');
	expect(await item('lib').getAttribute('aria-expanded')).equals('false');
	await page.keyboard.press('F2');
	await page.getByLabel('Path').fill('src');
	await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
	await item('src').focus();
	await page.keyboard.press('Delete');
	await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await item('src').waitFor({ state: 'detached' });
	const { files: left } = await api(page, all, 'GET', `/functions/${made.id}`);
	expect(left.some(({ path }) => path.startsWith('src/'))).equals(false);

	// All files replaced by those of a folder.
	const folder = mkdtempSync(join(tmpdir(), 'stoa-e2e-agent-'));
	mkdirSync(join(folder, 'lib'));
	mkdirSync(join(folder, '__pycache__'));
	writeFileSync(join(folder, 'app.py'), 'brought = 1\n');
	writeFileSync(join(folder, 'lib/a.bin'), Buffer.from([0, 255]));
	writeFileSync(join(folder, '__pycache__/app.pyc'), 'made');
	const choosing = page.waitForEvent('filechooser');
	await page.getByRole('button', { name: 'Upload a folder' }).click();
	await (await choosing).setFiles(folder);
	await page.getByRole('alertdialog').getByRole('button', { name: 'Replace all files' }).click();
	await until('the file of the folder', LATE, async () =>
		(await editor(page).innerText()).includes('brought = 1')
	);
	const { files: brought } = await api(page, all, 'GET', `/functions/${made.id}`);
	expect(brought.map(({ path }) => path).join(' ')).equals('app.py lib/a.bin');
	rmSync(folder, { recursive: true });
	await api(page, all, 'DELETE', `/functions/${made.id}`);
}

export const functionTests = [
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `a function from template to canary, ${view}`,
		run: walk(view)
	})),
	{ name: 'the code of a function, contested and by keys', run: conflict }
];
