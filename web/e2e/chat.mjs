// Chatting: the whole turn in every view, with the mock and with a real model.
import { expect } from './expect.mjs';
import { localModel, modelFile, until, views } from './harness.mjs';
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
	questions,
	says,
	send
} from './page.mjs';

const TOKENS = 150;
// Slow enough to be met in mid-stream on a machine that does something else, too.
const count = `Count, please. [[tokens=${TOKENS} rate=10]]`;

const chat = (view) => async (all) => {
	const page = await enter(all, views[view]);
	await chooseModel(page, 'counter');
	await send(page, count);
	await page.waitForURL('**/c/*');
	await growing(page, 40);
	await accessible(page, `an answer that grows, ${view}`);
	await picture(page, `growing ${view}`);

	// A reload in mid-stream: the answer is there and goes on.
	const before = await answerText(page);
	await page.reload();
	await growing(page, before.length);
	// Another browser sees the same answer grow.
	const other = await enter(all, views[view], new URL(page.url()).pathname);
	await growing(other, 10);
	await complete(page);
	await complete(other);
	await says(page, counted(TOKENS));
	await says(other, counted(TOKENS));
	await other.context().close();

	// Another wording makes a branch.
	await questions(page).last().hover();
	await questions(page).last().getByRole('button', { name: 'Edit' }).click();
	const editor = page.getByRole('textbox', { name: 'Edit message' });
	await editor.fill('Count to ten. [[tokens=10]]');
	await accessible(page, `editing, ${view}`);
	await editor.press('Enter');
	await says(page, counted(10));
	await complete(page);
	await page.getByText('2 / 2').waitFor();
	await page.getByRole('button', { name: 'Previous version' }).click();
	await says(page, counted(TOKENS));
	await page.getByRole('button', { name: 'Next version' }).click();
	await says(page, counted(10));

	// Another answer beside the first, of another model.
	await chooseModel(page, 'markdown');
	await lastAnswer(page).getByRole('button', { name: 'Answer again' }).click();
	await until('another answer', 20_000, async () => (await answerText(page)) !== counted(10));
	await complete(page);
	await lastAnswer(page).getByText('2 / 2').waitFor();
	await lastAnswer(page).locator('.katex').first().waitFor();
	await lastAnswer(page).locator('pre [class^="token-"]').first().waitFor();
	await lastAnswer(page).locator('table').first().waitFor();
	await accessible(page, `Markdown, ${view}`);
	await picture(page, `markdown ${view}`);
	await lastAnswer(page).getByRole('button', { name: 'Previous version' }).click();
	await says(page, counted(10));
};

async function stopAndContinue(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'counter');
	await send(page, 'Count for long. [[tokens=2000 rate=30]]');
	await growing(page, 20);
	await composer(page).press('Escape');
	await complete(page);
	await lastAnswer(page).getByText('Stopped.').waitFor();
	const stopped = await answerText(page);
	expect(counted(2_000).startsWith(stopped)).equals(true, 'what was written is kept');
	await page.reload();
	await says(page, stopped);
	await accessible(page, 'a stopped answer');
	await page.getByRole('button', { name: 'Continue' }).click();
	await until('more of it', 20_000, async () => (await answerText(page)).length > stopped.length + 10);
	await complete(page);
	expect((await answerText(page)).startsWith(stopped)).equals(true, 'it goes on after what was there');
}

async function thinking(all) {
	const page = await enter(all, views['390 px, dark']);
	await chooseModel(page, 'reasoning');
	await send(page, 'Think first.');
	await complete(page);
	const block = page.getByRole('button', { name: /^Thought|^Thoughts/ });
	await block.click();
	await page.locator('.thinking .markdown').waitFor();
	await accessible(page, 'thoughts');
	await lastAnswer(page).getByRole('button', { name: /tok/ }).click();
	await page.getByText('Prompt tokens').waitFor();
	await accessible(page, 'details');
	await picture(page, 'details phone');
}

async function realModel(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, localModel.slice(localModel.indexOf('/') + 1));
	await send(page, 'Say hello in one short sentence.');
	await complete(page);
	expect((await answerText(page)).length > 2).equals(true, 'the model says something');
	await picture(page, 'real model');
	const { items } = await api(page, all, 'GET', `/conversations/${page.url().split('/').pop()}/messages`);
	expect(items.at(-1).model).equals(localModel);
	expect(items.at(-1).usage.completion_tokens > 0).equals(true, 'its tokens are counted');
}

/** More questions than the model takes at once: whoever waits sees the place in the line, and it gets better. */
async function line(all) {
	const page = await enter(all, views['390 px, light']);
	const ask = async (text, parameters = {}) => {
		const { id } = await api(page, all, 'POST', '/conversations', {});
		const parts = [{ type: 'text', text }];
		const body = { model: localModel, parts, parameters };
		const turn = await api(page, all, 'POST', `/conversations/${id}/messages`, body);
		return { id, stop: () => api(page, all, 'DELETE', `/generations/${turn.generation_id}`) };
	};
	const activity = async () => {
		const { items } = await api(page, all, 'GET', '/local-models');
		return items.find(({ name }) => localModel.endsWith(name)).activity;
	};
	const asked = [];
	let waiting = 0;
	while (waiting < 2) {
		asked.push(await ask('Tell me a very long story about the sea.'));
		await until('the model is loaded', 20_000, async () => {
			const { slots, waiting: now } = await activity();
			waiting = now;
			return slots > 0;
		});
	}
	// Short, since a small model may talk on and on.
	const last = await ask('Say hello.', { max_tokens: 16 });
	await page.goto(`${all.stoa.origin}/c/${last.id}`);
	await page.getByText(/requests are before yours/).waitFor();
	await accessible(page, 'a place in the line');
	await picture(page, 'in line');
	for (const { stop } of asked) await stop();
	await complete(page);
	expect((await answerText(page)).length > 2).equals(true, 'its turn has come');
	expect(await page.getByText(/before yours|you are next/).count()).equals(0, 'nothing is told of a line');
}

async function failures(all) {
	const page = await enter(all, views['1440 px, dark']);
	for (const [model, words] of [
		['error-401', /401/],
		['cut', /ended the answer early/]
	]) {
		await page.goto(all.stoa.origin);
		await chooseModel(page, model);
		await send(page, 'Fail, please.');
		await complete(page);
		await lastAnswer(page).getByText(words).first().waitFor();
		await lastAnswer(page).getByRole('button', { name: 'Try again' }).waitFor();
		await accessible(page, `the failure ${model}`);
		await picture(page, `failure ${model}`);
	}
}

async function unsent(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'echo');
	await page.route('**/messages', (route) =>
		route.request().method() === 'POST' ? route.abort() : route.continue()
	);
	await send(page, 'Do not lose me.');
	await page
		.getByText(/cannot be reached|not be reached|no connection/i)
		.first()
		.waitFor();
	expect(await composer(page).inputValue()).equals('Do not lose me.');
	await page.reload();
	await composer(page).waitFor();
	expect(await composer(page).inputValue()).equals('Do not lose me.', 'the draft after a reload');
	await page.unroute('**/messages');

	// Sent before the page knows which models there are.
	await page.route('**/api/v1/models', async (route) => {
		await new Promise((done) => setTimeout(done, 1_000));
		await route.continue();
	});
	await page.reload();
	await composer(page).waitFor();
	await composer(page).press('Enter');
	await says(page, 'Do not lose me.');
}

async function harmless(all) {
	const page = await enter(all);
	await chooseModel(page, 'echo');
	await send(
		page,
		'<img src=x onerror="document.title=1"> <script>document.title=2</script> [x](javascript:alert(1)) ![p](https://e.example/p.png)'
	);
	await complete(page);
	expect(await lastAnswer(page).locator('img, script, [onerror]').count()).equals(0);
	expect(await lastAnswer(page).locator('a[href^="javascript"]').count()).equals(0);
	expect(await lastAnswer(page).getByRole('link', { name: 'p' }).getAttribute('rel')).contains('noopener');
	expect(['1', '2'].includes(await page.title())).equals(false);
}

async function parameters(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'echo');
	await page.getByRole('button', { name: 'Parameters' }).click();
	await page.getByLabel('Role').fill('Be brief.');
	await page.getByRole('switch', { name: 'Temperature' }).click();
	await accessible(page, 'the parameters');
	await send(page, 'Hello.');
	await complete(page);
	const id = page.url().split('/').pop();
	const kept = await until('the parameters to be kept', 10_000, async () => {
		const conversation = await api(page, all, 'GET', `/conversations/${id}`);
		return conversation.role === 'Be brief.' ? conversation : null;
	});
	expect(kept.parameters.temperature).equals(0.7);
	const { items } = await api(page, all, 'GET', `/conversations/${id}/messages`);
	expect(items.at(-1).parameters.temperature).equals(0.7, 'the turn was made with it');
	await page.getByRole('switch', { name: 'Temperature' }).click();
	await until('the parameter to be off', 10_000, async () => {
		const conversation = await api(page, all, 'GET', `/conversations/${id}`);
		return conversation.parameters.temperature == null;
	});
}

async function readAloud(all) {
	const page = await enter(all, views['390 px, light']);
	// The machine has no voices: what would be said is kept instead, and ends when the test says so.
	await page.addInitScript(() => {
		globalThis.said = [];
		speechSynthesis.speak = (utterance) => globalThis.said.push(utterance);
		speechSynthesis.cancel = () => (globalThis.said.length = 0);
	});
	await page.reload();
	await chooseModel(page, 'echo');
	await send(page, '**Hello** there. 今天天气很好，我们去公园散步吧。');
	await complete(page);
	const choose = async (entry) => {
		await lastAnswer(page).getByRole('button', { name: 'More actions' }).click();
		await page.getByRole('menuitem', { name: entry }).click();
	};
	await choose('Read aloud');
	const words = () => page.evaluate(() => globalThis.said.map(({ text }) => text).join(' '));
	await until(
		'the words without their marks',
		10_000,
		async () => (await words()) === 'Hello there. 今天天气很好，我们去公园散步吧。'
	);
	await choose('Stop reading');
	expect(await words()).equals('', 'it is silent');
	await choose('Read aloud');
	await until('the words again', 10_000, async () => (await words()) !== '');
	await page.evaluate(() => globalThis.said.at(-1).dispatchEvent(new Event('end')));
	await lastAnswer(page).getByRole('button', { name: 'More actions' }).click();
	await page.getByRole('menuitem', { name: 'Read aloud' }).waitFor();
	await page.keyboard.press('Escape');
	await choose('Read aloud');
	// Whoever leaves is not read on to.
	await page.getByRole('link', { name: 'New', exact: true }).click();
	await composer(page).waitFor();
	await until('silence', 10_000, async () => (await words()) === '');
}

export const chatTests = [
	...Object.keys(views).map((view) => ({
		name: `a chat with reload, edit, branches and another answer: ${view}`,
		run: chat(view)
	})),
	{ name: 'an answer is stopped and continued', run: stopAndContinue },
	{ name: 'thoughts and figures of an answer', run: thinking },
	{
		name: 'a chat with a real model on this machine',
		run: realModel,
		skip: modelFile ? null : 'STOA_TEST_MODEL names no model file'
	},
	{
		name: 'whoever waits for a real model sees the place in the line',
		run: line,
		skip: modelFile ? null : 'STOA_TEST_MODEL names no model file'
	},
	{ name: 'a failed answer says what happened', run: failures },
	{ name: 'what could not be sent is not lost', run: unsent },
	{ name: 'an answer cannot do anything on the page', run: harmless },
	{ name: 'role and parameters are kept and used', run: parameters },
	{ name: 'an answer is read aloud', run: readAloud }
];
