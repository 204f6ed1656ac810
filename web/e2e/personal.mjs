// Providers of one's own: this browser calls them, and the answers are kept, seen and stopped from everywhere all the same.
import { startAgent } from './agent.mjs';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	answerText,
	api,
	chooseModel,
	complete,
	enter,
	growing,
	lastAnswer,
	picture,
	says,
	send
} from './page.mjs';

const MODEL = 'street-agent';

/** Through the pages, as a person does it. */
async function connect(page, all, agent) {
	await page.goto(`${all.stoa.origin}/settings/personal`);
	await page.getByRole('button', { name: 'Add provider' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Name', { exact: true }).fill('My agent');
	await dialog.getByLabel('Base URL').fill(`http://${agent.authority}/v1/chat/completions`);
	await dialog.getByLabel(/^API key/).fill('any-key-will-do');
	await accessible(page, "adding a provider of one's own");
	await dialog.getByRole('button', { name: 'Add provider' }).click();
	await page.waitForURL('**/settings/personal/*');
	await page.getByText('No models yet').waitFor();
	return page.url().split('/').pop();
}

async function addByHand(page) {
	await page.getByRole('button', { name: 'Add model' }).click();
	await page.getByRole('dialog').getByLabel('Model name').fill(MODEL);
	await page.getByRole('dialog').getByRole('button', { name: 'Add model' }).click();
	await page.getByText(`~my-agent/${MODEL}`).waitFor();
}

/** What the browser notes of what is meant to fail. */
function pass(page, noted) {
	page.complaints.splice(0, Infinity, ...page.complaints.filter((complaint) => !noted.test(complaint)));
}

/** The page asks no other place than ours, and these agents. */
function onlyAsked(page, ...agents) {
	const allowed = agents.map(({ authority }) => `asked http://${authority}`);
	expect(page.complaints.some((complaint) => allowed.includes(complaint))).equals(true);
	const others = page.complaints.filter((complaint) => !allowed.includes(complaint));
	expect(others.join('\n')).equals('');
	page.complaints.length = 0;
}

const ownProvider = (view) => async (all) => {
	const agent = await startAgent({ origin: all.stoa.origin, models: ['street-agent', 'other-agent'] });
	const page = await enter(all, views[view], '/settings/personal');
	await page.getByText('No providers of your own yet').waitFor();
	await picture(page, `own providers, none, ${view}`);
	const id = await connect(page, all, agent);
	await page.getByRole('button', { name: 'Fetch models' }).click();
	await page.getByText('~my-agent/other-agent').waitFor();
	await page.getByRole('button', { name: 'Check connection' }).click();
	await page
		.getByText(/answered in/)
		.first()
		.waitFor();
	await accessible(page, `a provider of one's own, ${view}`);
	await picture(page, `own provider, ${view}`);
	expect(agent.asked.at(-1).authorization).equals('Bearer any-key-will-do');
	expect(/Chrome/.test(agent.asked.at(-1).userAgent)).equals(true);

	// A turn, seen to grow in another tab that is loaded again meanwhile.
	await page.goto(all.stoa.origin);
	await chooseModel(page, MODEL);
	await send(page, '[slow] Count, please.');
	await page.waitForURL('**/c/*');
	await growing(page, 20);
	const other = await page.context().newPage();
	await other.goto(page.url());
	await growing(other, 20);
	const before = await answerText(other);
	await other.reload();
	await growing(other, before.length);
	await picture(page, `own provider grows, ${view}`);

	// Stopped elsewhere, it ends here too, and this browser calls no longer.
	await other.getByRole('button', { name: 'Stop' }).click();
	await complete(other);
	await complete(page);
	const kept = await answerText(page);
	expect(await answerText(other)).equals(kept);
	await page.reload();
	await until('the kept answer', 10_000, async () => (await answerText(page)) === kept);

	// The next one comes to its end, with what the provider counted.
	await send(page, 'And who are you?');
	await complete(page);
	await says(page, `I am ${MODEL}. You said: And who are you?`);
	await lastAnswer(page)
		.getByRole('button', { name: /34 tokens/ })
		.click();
	await page.getByText('Figures from').waitFor();
	await page.keyboard.press('Escape');
	await other.close();

	// A reload of the very tab that calls interrupts the answer; what there was is kept, and it can go on.
	await send(page, '[slow] Again.');
	await growing(page, 20);
	page.on('dialog', (dialog) => void dialog.accept());
	await page.reload();
	await lastAnswer(page)
		.getByText(/interrupted/i)
		.waitFor();
	await until('what was kept', 10_000, async () => (await answerText(page)).startsWith('1 2 3'));
	const begun = await answerText(page);
	await lastAnswer(page).getByRole('button', { name: 'Continue' }).click();
	await until('it has gone on', 30_000, async () => {
		const whole = await answerText(page);
		return whole.startsWith(begun) && whole.length > begun.length;
	});
	await complete(page);
	expect(agent.asked.at(-1).messages.at(-2).content.trim()).equals(begun, 'the browser asks for more of it');
	const conversation = page.url().split('/').pop();

	// The title is the model's, and so is a translation.
	await page.goto(all.stoa.origin);
	await chooseModel(page, MODEL);
	await send(page, 'Name yourself, please.');
	await complete(page);
	await page.getByRole('heading', { name: 'An agent with a name' }).waitFor();
	const named = page.url().split('/').pop();
	await lastAnswer(page).hover();
	await lastAnswer(page).getByRole('button', { name: 'More' }).click();
	await page.getByRole('menuitem', { name: 'Translate into English' }).click();
	const translation = page.getByRole('region', { name: 'Translation' });
	await translation.getByText('Name yourself, please.').waitFor();
	await accessible(page, `a translation by an own provider, ${view}`);
	await picture(page, `own provider translates, ${view}`);
	await page.reload();
	await translation.getByText('Name yourself, please.').waitFor();
	await api(page, all, 'DELETE', `/conversations/${named}`);

	await api(page, all, 'DELETE', `/conversations/${conversation}`);
	await api(page, all, 'DELETE', `/personal-providers/${id}`);
	agent.close();
	onlyAsked(page, agent);
};

async function explained(all) {
	const closed = await startAgent();
	const page = await enter(all, views['1440 px, light'], '/settings/personal');
	const id = await connect(page, all, closed);
	await addByHand(page);
	const check = page.getByRole('button', { name: 'Check connection' });
	const saying = (words) => page.getByText(words).first().waitFor();

	// It answers, but pages of this origin may not read it.
	await check.click();
	await saying(`Allow the origin ${all.stoa.origin} in its CORS settings`);
	await accessible(page, 'a provider that does not let the page read');
	await picture(page, 'own provider, CORS');
	closed.close();
	await check.click();
	await saying('Nothing answers there');

	// An address that the page was not loaded with.
	const open = await startAgent({ origin: all.stoa.origin });
	await api(page, all, 'PATCH', `/personal-providers/${id}`, { base_url: `http://${open.authority}/v1` });
	await check.click();
	await saying('This page was loaded before the provider was added');
	await page.reload();
	await check.click();
	await saying(/answered in/);

	// All of that the browser notes in its console, too; nothing else is there.
	pass(page, /CORS|ERR_FAILED|ERR_CONNECTION_REFUSED|Content Security Policy/);

	// An error of the agent itself is told in the conversation, and the turn can be repeated.
	await page.goto(all.stoa.origin);
	await chooseModel(page, MODEL);
	await send(page, '[fail] Anybody there?');
	await page.getByText('the agent is asleep').waitFor();
	await picture(page, 'own provider fails');
	pass(page, /503/);
	const conversation = page.url().split('/').pop();
	await api(page, all, 'DELETE', `/conversations/${conversation}`);
	await api(page, all, 'DELETE', `/personal-providers/${id}`);
	open.close();
	onlyAsked(page, closed, open);
}

export const personalTests = [
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `a provider that only this browser reaches, ${view}`,
		run: ownProvider(view)
	})),
	{ name: "why a provider of one's own cannot be reached", run: explained }
];
