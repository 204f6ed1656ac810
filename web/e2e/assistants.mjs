// Assistants: made, talked to, edited, put in order, taken away and brought back, as a file and back.
import { readFileSync } from 'node:fs';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	composer,
	lastAnswer,
	newcomer,
	picture,
	says,
	send
} from './page.mjs';

const profile = (name, more = {}) => ({ name, model: null, history_messages: null, ...more });
const card = (page, name) => page.getByRole('article', { name, exact: true });
const names = (page) => page.getByRole('article').getByRole('heading').allInnerTexts();

async function act(page, name, entry) {
	await page.getByRole('button', { name: `Actions for ${name}`, exact: true }).click();
	await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

/** The translation assistant from nothing: made, used, edited; the model gets what the template says. */
const translator = (view) => async (all) => {
	const page = await newcomer(all, `Tara${view.replace(/\W/g, '')}`, views[view]);
	await page.getByRole('heading', { name: 'No assistants yet' }).waitFor();
	await accessible(page, `no assistants, ${view}`);
	await picture(page, `assistants none ${view}`);

	await page.getByRole('link', { name: 'New assistant' }).first().click();
	await page.getByRole('button', { name: 'Create assistant' }).click();
	await page.getByText('A name of at most 80 characters is needed').waitFor();
	expect(await page.evaluate(() => document.activeElement.labels?.[0]?.textContent)).equals('Name');
	await page.getByRole('button', { name: 'Choose an emoji' }).click();
	await accessible(page, `emoji, ${view}`);
	await picture(page, `assistant emoji ${view}`);
	await page.getByRole('button', { name: '🌐' }).click();
	await page.getByRole('radio', { name: 'Sky' }).check();
	await page.getByLabel('Name', { exact: true }).fill('Translator');
	await page.getByLabel('Description').fill('Translates between English and Chinese.');
	await page.getByLabel('Tags').fill('language, work');
	await page.getByLabel('Role', { exact: true }).fill('You are a translator.');
	await page.getByText(/answer\. 21 characters/).waitFor();
	const template = page.getByLabel('Input template');
	await template.fill('Translate this: ');
	await page.getByLabel('Tags').focus();
	await page.getByText('{{text}} must be in it').waitFor();
	await accessible(page, `a template without the text, ${view}`);
	await template.press('End');
	await page.getByRole('button', { name: 'Insert {{text}}' }).click();
	expect(await template.inputValue()).equals('Translate this: {{text}}');
	await page.getByLabel('Opening message').fill('Send me **a text**.');
	await page.getByLabel('Opening questions').fill('Good morning\nGood night');
	await page.getByRole('switch', { name: 'A model of its own' }).click();
	await chooseModel(page, 'echo');
	await page.getByRole('switch', { name: 'Temperature' }).click();
	await page.getByRole('switch', { name: 'Latest messages only' }).click();
	await picture(page, `assistant model ${view}`);
	await page.getByRole('heading', { name: 'Who it is' }).scrollIntoViewIfNeeded();
	await accessible(page, `the editor, ${view}`);
	await picture(page, `assistant editor ${view}`);
	await page.getByRole('button', { name: 'Create assistant' }).click();
	await page.waitForURL('**/assistants');
	await card(page, 'Translator').getByText('language').waitFor();

	const { items } = await api(page, all, 'GET', '/assistants');
	const {
		id,
		pinned: _pinned,
		folder_id: _folder,
		picture: _picture,
		shared: _shared,
		created_at: _made,
		updated_at: _changed,
		...kept
	} = items[0];
	expect(kept).equals({
		name: 'Translator',
		description: 'Translates between English and Chinese.',
		avatar: '🌐',
		background: '#dbe7f3',
		tags: ['language', 'work'],
		opening_message: 'Send me **a text**.',
		opening_questions: ['Good morning', 'Good night'],
		role: 'You are a translator.',
		input_template: 'Translate this: {{text}}',
		model: 'mock/echo',
		parameters: { temperature: 0.7 },
		history_messages: 20
	});

	await page.getByRole('link', { name: 'New conversation with Translator' }).click();
	const greeting = page.getByRole('region', { name: 'Translator', exact: true });
	await greeting.getByRole('heading', { name: 'Translator' }).waitFor();
	await greeting.locator('strong').filter({ hasText: 'a text' }).waitFor();
	await page.getByRole('button', { name: 'Model: echo' }).waitFor();
	await accessible(page, `the greeting of an assistant, ${view}`);
	await picture(page, `assistant greeting ${view}`);
	await greeting.getByRole('button', { name: 'Good morning' }).click();
	expect(await composer(page).inputValue()).equals('Good morning', 'a question waits to be sent');
	await composer(page).press('Enter');
	await page.waitForURL('**/c/*');
	await complete(page);
	await says(page, 'Translate this: Good morning');
	expect(await lastAnswer(page).getAttribute('aria-label')).equals('Answer of Translator');
	await lastAnswer(page).getByText('echo', { exact: true }).waitFor();
	await accessible(page, `a conversation with an assistant, ${view}`);
	await picture(page, `assistant conversation ${view}`);

	// To the editor and back; what is changed there holds from the next message on.
	const conversation = page.url();
	await page.getByRole('link', { name: 'Translator: edit assistant' }).click();
	await page.getByLabel('Input template').fill('Again: {{text}}');
	await page.getByRole('link', { name: 'Back to the conversation' }).click();
	const sure = page.getByRole('alertdialog', { name: 'Leave without saving?' });
	await accessible(page, `leaving the editor, ${view}`);
	await sure.getByRole('button', { name: 'Cancel' }).click();
	expect(await page.getByLabel('Input template').inputValue()).equals('Again: {{text}}');
	await page.getByRole('button', { name: 'Save', exact: true }).click();
	await page.waitForURL(conversation);
	await send(page, 'Good night');
	await complete(page);
	await says(page, 'Again: Good night');

	// Those with this assistant, and nothing else.
	await api(page, all, 'POST', '/conversations', { title: 'With nobody' });
	await page.goto(`${all.stoa.origin}/assistants`);
	await act(page, 'Translator', 'Its conversations');
	await page.getByRole('heading', { name: 'Conversations with Translator' }).waitFor();
	const listed = page.getByRole('main').getByRole('listitem');
	await until('the one conversation', 10_000, async () => (await listed.count()) === 1);
	await accessible(page, `conversations of an assistant, ${view}`);
	await picture(page, `assistant conversations ${view}`);

	// Without the assistant the conversation goes on, as any other.
	await api(page, all, 'DELETE', `/assistants/${id}`);
	await page.goto(conversation);
	await send(page, 'Alone');
	await complete(page);
	await says(page, 'Alone');
	expect(await lastAnswer(page).getAttribute('aria-label')).equals('Answer of echo');
	expect(await page.getByRole('link', { name: /edit assistant/ }).count()).equals(0);
};

const order = (view) => async (all) => {
	const page = await newcomer(all, `Ole${view.replace(/\W/g, '')}`, views[view]);
	const faces = [
		['Data analyst', { avatar: '📐', background: '#f3e3cf', description: 'Asks for the question first.' }],
		[
			'Editor',
			{ avatar: '✍️', background: '#e8def2', tags: ['writing'], description: 'Shortens, and says why.' }
		],
		['Tutor', { background: '#3d4a5c', description: 'Explains step by step, with an exercise at the end.' }],
		['Translator', { avatar: '🌐', background: '#dbe7f3', tags: ['language', 'work'] }]
	];
	for (const [name, more] of faces) await api(page, all, 'POST', '/assistants', profile(name, more));
	await page.reload();
	await card(page, 'Tutor').waitFor();
	const inOrder = async (wanted) => {
		await until(`the order ${wanted}`, 10_000, async () => String(await names(page)) === String(wanted));
		const { items } = await api(page, all, 'GET', '/assistants');
		expect(items.map(({ name }) => name)).equals(wanted, 'the server has the same order');
	};
	await inOrder(['Translator', 'Tutor', 'Editor', 'Data analyst']);
	await act(page, 'Tutor', 'Move later');
	await page.getByText('Tutor is now number 3 of 4').waitFor();
	await inOrder(['Translator', 'Editor', 'Tutor', 'Data analyst']);
	expect(await page.evaluate(() => document.activeElement.getAttribute('aria-label'))).equals(
		'Actions for Tutor',
		'the focus goes along'
	);
	await act(page, 'Data analyst', 'Pin');
	await inOrder(['Data analyst', 'Translator', 'Editor', 'Tutor']);
	await act(page, 'Editor', 'Duplicate');
	await inOrder(['Data analyst', 'Editor 2', 'Translator', 'Editor', 'Tutor']);
	await page.getByRole('button', { name: 'Actions for Editor 2' }).click();
	await accessible(page, `the menu of an assistant, ${view}`);
	await picture(page, `assistant menu ${view}`);
	await page.keyboard.press('Escape');
	await accessible(page, `assistants, ${view}`);
	await picture(page, `assistants ${view}`);

	await act(page, 'Editor 2', 'Delete');
	await until('the card to go', 10_000, async () => (await card(page, 'Editor 2').count()) === 0);
	await page.getByRole('button', { name: 'Undo' }).click();
	await inOrder(['Data analyst', 'Editor 2', 'Translator', 'Editor', 'Tutor']);

	await page.getByRole('searchbox', { name: 'Search assistants' }).fill('writing');
	await until('two cards', 10_000, async () => (await page.getByRole('article').count()) === 2);
	await page.getByRole('searchbox', { name: 'Search assistants' }).fill('nobody');
	await page.getByText('Nothing found').waitFor();
	await page.getByRole('searchbox', { name: 'Search assistants' }).fill('');

	// As a file, and back.
	const download = page.waitForEvent('download');
	await page.getByRole('button', { name: 'More for all assistants' }).click();
	await page.getByRole('menuitem', { name: 'Export all' }).click();
	const file = await (await download).path();
	const exported = JSON.parse(readFileSync(file, 'utf8'));
	expect(exported.assistants.map(({ name }) => name)).equals(await names(page));
	const chosen = page.locator('input[type="file"]');
	await chosen.setInputFiles({ name: 'x.json', mimeType: 'application/json', buffer: Buffer.from('no') });
	await page.getByText('This file is not JSON').waitFor();
	await accessible(page, `a file that is none, ${view}`);
	await picture(page, `assistants import refused ${view}`);
	await chosen.setInputFiles(file);
	await page.getByText('5 assistants were imported').first().waitFor();
	await until('ten cards', 10_000, async () => (await page.getByRole('article').count()) === 10);
	const { items } = await api(page, all, 'GET', '/assistants');
	const again = items.filter(({ name }) => name === 'Tutor');
	expect([again.length, again[0].description, again[0].background]).equals([
		2,
		again[1].description,
		again[1].background
	]);
};

/** Who writes a long role loses nothing by a slip: links, the way back and the keys all ask first. */
async function unsaved(all) {
	const page = await newcomer(all, 'Una', views['1440 px, light'], '/assistants/new');
	await page.getByLabel('Role', { exact: true }).fill('Long work');
	await page.keyboard.press('Alt+n');
	const sure = page.getByRole('alertdialog', { name: 'Leave without saving?' });
	await picture(page, 'assistant unsaved');
	await sure.getByRole('button', { name: 'Cancel' }).click();
	expect(await page.getByLabel('Role', { exact: true }).inputValue()).equals('Long work');
	await page.getByRole('link', { name: 'Assistants', exact: true }).click();
	await sure.getByRole('button', { name: 'Discard changes' }).click();
	await page.getByRole('heading', { name: 'No assistants yet' }).waitFor();

	// One that is gone says so; what the server refuses stands at its field.
	await page.goto(`${all.stoa.origin}/assistants/00000000-0000-7000-8000-000000000000`);
	await page.getByRole('heading', { name: 'This assistant does not exist' }).waitFor();
	await accessible(page, 'an assistant that is gone');
	await page.goto(`${all.stoa.origin}/assistants/new`);
	await page.getByLabel('Name', { exact: true }).fill('Refused');
	await page.getByLabel('Emoji', { exact: true }).fill('\u0007x');
	await page.getByRole('button', { name: 'Create assistant' }).click();
	await page.getByText('One emoji or a short sign').waitFor();
	expect(await page.evaluate(() => document.activeElement.labels?.[0]?.textContent)).equals('Emoji');

	// The pinned ones are at hand in the navigation; one that was deleted is nobody.
	const made = await api(page, all, 'POST', '/assistants', profile('Clerk', { model: 'mock/counter' }));
	await api(page, all, 'PATCH', `/assistants/${made.id}`, { pinned: true });
	await page.goto(all.stoa.origin);
	await page.getByRole('link', { name: 'Clerk', exact: true }).click();
	await page.getByRole('button', { name: 'Model: counter' }).waitFor();
	await page.getByRole('region', { name: 'Clerk', exact: true }).waitFor();
	await api(page, all, 'DELETE', `/assistants/${made.id}`);
	await page.reload();
	await page.getByRole('heading', { name: /, Una|Una\?/ }).waitFor();
	await chooseModel(page, 'echo');
	await send(page, 'Nobody there');
	await complete(page);
	await says(page, 'Nobody there');
}

export const assistantTests = [
	...Object.keys(views).map((view) => ({
		name: `a translation assistant from nothing, ${view}`,
		run: translator(view)
	})),
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `assistants in order, copied, deleted, as a file, ${view}`,
		run: order(view)
	})),
	{ name: 'assistants keep what is not saved, and say what is wrong', run: unsaved }
];
