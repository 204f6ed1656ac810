// Assistants that others may use, folders of assistants, and details that a model writes.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	composer,
	enter,
	newcomer,
	picture,
	says,
	send
} from './page.mjs';

const SECRET = 'the-philosophers-stone';
/** In Chinese, and in the other of light and dark. */
const chinese = (view) => {
	const { colorScheme, ...screen } = views[view];
	return { ...screen, colorScheme: colorScheme === 'dark' ? 'light' : 'dark', locale: 'zh-CN' };
};
const signedUp = (name) => ({
	email: `${name.toLowerCase()}@example.com`,
	password: 'seven miles along the coast'
});
const profile = (name, more = {}) => ({ name, model: null, history_messages: null, ...more });
const card = (page, name) => page.getByRole('article', { name, exact: true });

async function act(page, name, entry) {
	await page.getByRole('button', { name: `Actions for ${name}`, exact: true }).click();
	await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

const shared = (view) => async (all) => {
	const short = view.replace(/\W/g, '');
	const maker = await newcomer(all, `Mia${short}`, views[view]);
	const name = `Alchemist ${short}`;
	const made = await api(maker, all, 'POST', '/assistants', {
		...profile(name, { model: 'mock/echo', avatar: '⚗️', background: '#f3e3cf' }),
		description: 'Makes gold of whatever you have.',
		opening_message: 'What shall it be?',
		opening_questions: ['Gold, please'],
		role: SECRET,
		input_template: 'Into gold: {{text}}'
	});
	const user = await newcomer(all, `Ned${short}`, views[view]);
	const address = signedUp(`Ned${short}`).email;

	await maker.reload();
	await act(maker, name, 'Share…');
	const dialog = maker.getByRole('dialog', { name: `Share “${name}”` });
	await dialog.getByText('Nobody else can use it yet').waitFor();
	await dialog.getByLabel('E-mail address').fill('nobody@example.com');
	await dialog.getByRole('button', { name: 'Share', exact: true }).click();
	await dialog.getByText('Nobody here has this e-mail address').waitFor();
	await accessible(maker, `sharing with nobody, ${view}`);
	await dialog.getByLabel('E-mail address').fill(address);
	await dialog.getByLabel('E-mail address').press('Enter');
	await dialog.getByRole('list', { name: 'Shared with' }).getByText(`Ned${short}`, { exact: true }).waitFor();
	await dialog.getByText('Administrators').waitFor({ state: 'hidden' });
	await dialog.getByText('A role', { exact: true }).click();
	await dialog.getByRole('combobox', { name: 'Role' }).selectOption('Administrators');
	await dialog.getByRole('button', { name: 'Share', exact: true }).click();
	await until('two shares', 10_000, async () => (await dialog.getByRole('listitem').count()) === 2);
	await accessible(maker, `sharing an assistant, ${view}`);
	await picture(maker, `assistant sharing ${view}`);
	await dialog.getByRole('button', { name: 'Done' }).click();
	await card(maker, name).getByRole('img', { name: 'Shared with others' }).waitFor();
	const zh = await enter(all, chinese(view), '/assistants', signedUp(`Mia${short}`));
	await card(zh, name).getByRole('button').click();
	await zh.getByRole('menuitem', { name: '共享…' }).click();
	await zh.getByRole('list', { name: '已共享给' }).waitFor();
	await accessible(zh, `sharing in Chinese, ${view}`);
	await picture(zh, `assistant sharing zh ${view}`);
	await zh.goto(`${all.stoa.origin}/assistants/${made.id}`);
	await zh.getByRole('button', { name: '撰写名称和详情' }).waitFor();
	await picture(zh, `assistant editor zh ${view}`);
	await zh.context().close();

	// Whoever it is shared with finds it, and learns nothing of what it is built on.
	await user.reload();
	await card(user, name).getByText(`By Mia${short}`).waitFor();
	await user.getByRole('heading', { name: 'Shared with you' }).waitFor();
	await accessible(user, `an assistant of somebody else's, ${view}`);
	await picture(user, `assistants shared ${view}`);
	await user.getByRole('button', { name: `Actions for ${name}` }).click();
	await user.getByRole('menuitem').first().waitFor();
	const entries = await user.getByRole('menuitem').allInnerTexts();
	expect(entries.map((text) => text.trim())).equals(['Its conversations', 'Move to a folder…']);
	await user.keyboard.press('Escape');
	const answers = [];
	user.on('response', async (response) => {
		if (response.url().includes('/api/v1/') && !response.url().includes('/events')) {
			answers.push(await response.text().catch(() => ''));
		}
	});
	await user.getByRole('link', { name: `New conversation with ${name}` }).click();
	await user.getByRole('button', { name: 'Model: echo' }).waitFor();
	await accessible(user, `the greeting of an assistant of somebody else's, ${view}`);
	await user.getByRole('button', { name: 'Gold, please' }).click();
	await composer(user).press('Enter');
	await complete(user);
	await says(user, 'Into gold: Gold, please');
	await user.getByRole('link', { name: `${name}, shared by Mia${short}: new conversation` }).waitFor();
	expect(answers.some((text) => text.includes(SECRET))).equals(false, 'the role goes to the model alone');
	await user.goto(`${all.stoa.origin}/assistants/${made.id}`);
	await user.getByRole('heading', { name: 'This assistant does not exist' }).waitFor();
	await user.goBack();

	// Taken back, it is refused with the next turn; what was written is not lost, and one goes on without it.
	const { items } = await api(maker, all, 'GET', `/assistants/${made.id}/shares`);
	await act(maker, name, 'Share…');
	await dialog.getByRole('button', { name: `Stop sharing with Ned${short}` }).click();
	await until('one share', 10_000, async () => (await dialog.getByRole('listitem').count()) === 1);
	expect(items.length).equals(2);
	await composer(user).waitFor();
	await send(user, 'Silver');
	await user.getByText('This assistant is no longer shared with you').waitFor();
	await accessible(user, `an assistant that is no longer shared, ${view}`);
	await picture(user, `assistant no longer shared ${view}`);
	expect(await composer(user).inputValue()).equals('Silver');
	await user.getByRole('button', { name: 'Go on without it' }).click();
	await user.getByText('This assistant is no longer shared with you').waitFor({ state: 'hidden' });
	await composer(user).press('Enter');
	await complete(user);
	await says(user, 'Silver');
};

const foldered = (view) => async (all) => {
	const short = view.replace(/\W/g, '');
	const page = await newcomer(all, `Fay${short}`, views[view]);
	for (const name of ['Tutor', 'Editor', 'Translator'])
		await api(page, all, 'POST', '/assistants', profile(name));
	await page.reload();
	const section = (name) => page.getByRole('region', { name, exact: true });
	await act(page, 'Editor', 'Move to a folder…');
	const move = page.getByRole('dialog', { name: 'Move “Editor” to a folder' });
	await move.getByLabel('Name of the folder').fill('Writing');
	await accessible(page, `moving to a folder, ${view}`);
	await picture(page, `assistant into folder ${view}`);
	await move.getByRole('button', { name: 'Move', exact: true }).click();
	await section('Writing').getByRole('article', { name: 'Editor' }).waitFor();
	await section('No folder').getByRole('article', { name: 'Tutor' }).waitFor();

	await page.getByRole('button', { name: 'More for all assistants' }).click();
	await page.getByRole('menuitem', { name: 'New folder…' }).click();
	await page.getByLabel('Name of the folder').fill('Learning');
	await page.getByLabel('Name of the folder').press('Enter');
	await section('Learning').getByText('Nothing in it yet').waitFor();
	await accessible(page, `an empty folder, ${view}`);

	// By dragging the card, as with conversations and projects.
	await page
		.getByRole('link', { name: 'New conversation with Tutor' })
		.dragTo(section('Learning').getByText('Nothing in it yet'));
	await section('Learning').getByRole('article', { name: 'Tutor' }).waitFor();
	await page
		.getByRole('link', { name: 'New conversation with Translator' })
		.dragTo(section('Writing').getByRole('heading', { name: 'Writing' }));
	await section('Writing').getByRole('article', { name: 'Translator' }).waitFor();
	await section('No folder').getByText('Nothing in it yet').waitFor();
	await until('the server to know', 10_000, async () => {
		const { items } = await api(page, all, 'GET', '/assistants');
		return items.every(({ folder_id }) => folder_id !== null);
	});

	// Within a folder the order is that of those that lie there.
	await act(page, 'Translator', 'Move later');
	await page.getByText('Translator is now number 2 of 2').waitFor();
	await act(page, 'Learning', 'Move up');
	await page.getByText('Learning is now number 1 of 2').waitFor();
	const headings = () => page.getByRole('main').getByRole('heading', { level: 2 }).allInnerTexts();
	const folderNames = async () =>
		(await headings()).filter((text) => ['Learning', 'Writing', 'No folder'].includes(text));
	expect(await folderNames()).equals(['Learning', 'Writing', 'No folder']);
	await act(page, 'Learning', 'Rename…');
	await page.getByLabel('Name of the folder').fill('School');
	await page.getByRole('button', { name: 'Save' }).click();
	await section('School').waitFor();
	await accessible(page, `folders of assistants, ${view}`);
	await picture(page, `assistants folders ${view}`);

	// Folded up by the keyboard, and on every device.
	const fold = page.getByRole('button', { name: 'Writing', exact: true });
	await fold.focus();
	await page.keyboard.press('Enter');
	await card(page, 'Editor').waitFor({ state: 'hidden' });
	await until('the server to know', 10_000, async () => {
		const { items } = await api(page, all, 'GET', '/assistant-folders');
		return items.find(({ name }) => name === 'Writing').collapsed;
	});
	await page.reload();
	await section('School').waitFor();
	expect(await fold.getAttribute('aria-expanded')).equals('false');
	await accessible(page, `a folder that is folded up, ${view}`);
	const zh = await enter(all, chinese(view), '/assistants', signedUp(`Fay${short}`));
	await zh.getByRole('region', { name: '未归入文件夹' }).waitFor();
	await picture(zh, `assistants folders zh ${view}`);
	await fold.click();

	// A folder goes, what lay in it stays; and back.
	await act(page, 'Writing', 'Delete folder');
	await section('No folder').getByRole('article', { name: 'Editor' }).waitFor();
	await page.getByRole('button', { name: 'Undo' }).click();
	await section('Writing').getByRole('article', { name: 'Editor' }).waitFor();
	await act(page, 'Editor', 'Move to a folder…');
	await page.getByRole('combobox', { name: 'Folder' }).selectOption('No folder');
	await page.getByRole('dialog').getByRole('button', { name: 'Move', exact: true }).click();
	await section('No folder').getByRole('article', { name: 'Editor' }).waitFor();
};

const described = (view) => async (all) => {
	const page = await newcomer(all, `Dot${view.replace(/\W/g, '')}`, views[view], '/assistants/new');
	const write = page.getByRole('button', { name: 'Write name and details' });
	await page.getByText('Write the role first').waitFor();
	expect(await write.isDisabled()).equals(true, 'there is no role yet');
	// The mock says what it is shown.
	const role = page.getByLabel('Role', { exact: true });
	await role.fill(
		JSON.stringify({
			name: 'Pocket tutor',
			description: 'Explains one thing at a time.',
			emoji: '🎓',
			tags: ['school', 'maths'],
			opening_message: 'What shall we look at?',
			opening_questions: ['What is a prime?', 'Why is the sky blue?']
		})
	);
	await page.getByLabel('Description').fill('Mine');
	const by = page.getByRole('combobox', { name: 'Model that writes them' });
	await by.selectOption('echo');
	await write.click();
	const suggestion = page.getByRole('region', { name: 'Suggestion' });
	await suggestion.getByText('Pocket tutor').waitFor();
	await page.getByRole('heading', { name: 'Who it is' }).scrollIntoViewIfNeeded();
	await accessible(page, `suggested details, ${view}`);
	await suggestion.scrollIntoViewIfNeeded();
	await picture(page, `assistant details ${view}`);
	expect(await page.getByLabel('Name', { exact: true }).inputValue()).equals(
		'',
		'nothing changes before it is taken'
	);
	await suggestion.getByRole('button', { name: 'Use these' }).click();
	expect(await page.getByLabel('Name', { exact: true }).inputValue()).equals('Pocket tutor');
	expect(await page.getByLabel('Tags').inputValue()).equals('school, maths');
	expect(await page.getByLabel('Opening questions').inputValue()).equals(
		'What is a prime?\nWhy is the sky blue?'
	);
	await page.getByRole('button', { name: 'Undo' }).click();
	expect(await page.getByLabel('Name', { exact: true }).inputValue()).equals('');
	expect(await page.getByLabel('Description').inputValue()).equals('Mine');

	// What is no suggestion is told, with what to do; and nobody waits longer than they wish.
	await role.fill('Be brief.');
	await write.click();
	await page.getByText('The model wrote nothing that can be used').waitFor();
	await page.getByRole('heading', { name: 'Who it is' }).scrollIntoViewIfNeeded();
	await accessible(page, `no suggestion, ${view}`);
	await by.selectOption('mock-20tps');
	await role.fill('word '.repeat(400));
	await write.click();
	await page.getByText('mock-20tps is writing…').waitFor();
	await accessible(page, `details are being written, ${view}`);
	await page.getByRole('button', { name: 'Cancel' }).first().click();
	await page.getByText('mock-20tps is writing…').waitFor({ state: 'hidden' });
	expect(await write.isEnabled()).equals(true);
	await page.goto(all.stoa.origin).catch(() => undefined);
};

/** A landscape of its own kind: gold on blue. */
const painted = (page) =>
	page.evaluate(() => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 400 });
		const brush = canvas.getContext('2d');
		brush.fillStyle = '#123a5a';
		brush.fillRect(0, 0, 640, 400);
		brush.fillStyle = '#e8b34a';
		brush.arc(320, 200, 130, 0, 7);
		brush.fill();
		return canvas.toDataURL('image/png').split(',')[1];
	});
const drawn = (image) => image.evaluate((node) => node.complete && node.naturalWidth);

const pictured = (view) => async (all) => {
	const short = view.replace(/\W/g, '');
	const page = await newcomer(all, `Pia${short}`, views[view], '/assistants/new');
	const file = page.locator('input[type="file"]');
	await page.getByLabel('Name', { exact: true }).fill('Painter');
	await page.getByRole('switch', { name: 'A model of its own' }).click();
	await chooseModel(page, 'echo');
	await file.setInputFiles({ name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
	await page.getByRole('button', { name: 'Create assistant' }).click();
	await page.getByRole('alert').getByText('PNG, JPEG, WebP or GIF').waitFor();
	await accessible(page, `a face that is no picture, ${view}`);
	const png = Buffer.from(await painted(page), 'base64');
	await file.setInputFiles({ name: 'sun.png', mimeType: 'image/png', buffer: png });
	await page.getByRole('button', { name: 'Remove the picture' }).waitFor();
	await page.getByRole('heading', { name: 'Who it is' }).scrollIntoViewIfNeeded();
	await accessible(page, `a face that was chosen, ${view}`);
	await picture(page, `assistant picture editor ${view}`);
	await page.getByRole('button', { name: 'Create assistant' }).click();
	await page.waitForURL('**/assistants');
	const face = card(page, 'Painter').locator('img');
	await until('the face on the card', 10_000, async () => (await drawn(face)) === 192);
	expect((await api(page, all, 'GET', '/assistants')).items.length).equals(
		1,
		'made once, though refused at first'
	);
	await accessible(page, `a card with a picture, ${view}`);
	await picture(page, `assistant picture card ${view}`);

	// In the conversation it is at the greeting, in the header and beside each answer.
	await page.getByRole('link', { name: 'New conversation with Painter' }).click();
	await page.getByRole('region', { name: 'Painter', exact: true }).locator('img').waitFor();
	await send(page, 'Hello');
	await complete(page);
	const beside = page.getByRole('article', { name: 'Answer of Painter' }).locator('.avatar img');
	await until('the face beside the answer', 10_000, async () => (await drawn(beside)) === 192);
	await accessible(page, `an answer with a picture, ${view}`);
	await picture(page, `assistant picture chat ${view}`);

	// Others have it once they may use the assistant, and no longer than that.
	const { items } = await api(page, all, 'GET', '/assistants');
	const [{ id, picture: version }] = items;
	const other = await newcomer(all, `Oz${short}`, views[view]);
	const asked = () => other.request.get(`${all.stoa.origin}/api/v1/assistants/${id}/picture?v=${version}`);
	expect((await asked()).status()).equals(404);
	const share = await api(page, all, 'POST', `/assistants/${id}/shares`, { kind: 'everyone' });
	await other.reload();
	await until('the face for others', 10_000, async () => {
		const image = card(other, 'Painter').locator('img');
		return (await image.count()) === 1 && (await drawn(image)) === 192;
	});
	await api(page, all, 'DELETE', `/assistant-shares/${share.id}`);
	expect((await asked()).status()).equals(404);

	// Away again: the first letter is back.
	await page.goto(`${all.stoa.origin}/assistants/${id}`);
	await page.getByRole('button', { name: 'Remove the picture' }).click();
	await page.getByRole('button', { name: 'Save' }).click();
	await page.waitForURL('**/assistants');
	await card(page, 'Painter').getByText('P', { exact: true }).waitFor();
	expect(await face.count()).equals(0);
};

const both = ['1440 px, light', '390 px, dark'];
export const sharedAssistantTests = [
	...both.map((view) => ({ name: `an assistant is shared and taken back, ${view}`, run: shared(view) })),
	...both.map((view) => ({ name: `assistants lie in folders, ${view}`, run: foldered(view) })),
	...both.map((view) => ({
		name: `details of an assistant written by a model, ${view}`,
		run: described(view)
	})),
	...both.map((view) => ({ name: `an assistant has a picture for its face, ${view}`, run: pictured(view) }))
];
