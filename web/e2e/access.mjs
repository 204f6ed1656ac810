// Without a mouse, with a screen reader, with large letters, with few colours and without motion.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	api,
	chooseModel,
	complete,
	lastAnswer,
	composer,
	enter,
	growing,
	picture,
	send
} from './page.mjs';

/** What has the focus, in the words a screen reader would say. */
const focused = (page) =>
	page.evaluate(() => {
		const element = document.activeElement;
		if (!element || element === document.body) return '';
		const spoken = element.cloneNode(true);
		for (const silent of spoken.querySelectorAll('[aria-hidden="true"]')) silent.remove();
		const label = element.labels?.[0]?.textContent ?? '';
		const text = label || spoken.textContent || '';
		return (element.getAttribute('aria-label') ?? text).replace(/\s+/g, ' ').trim();
	});

async function focus(page, name) {
	await until(`the focus on ${name}`, 5_000, async () => (await focused(page)) === name);
}

/** A page whose list holds one conversation, of somebody new. */
async function newcomer(all, name, options = views['1440 px, light']) {
	const admin = await enter(all);
	const email = `${name.toLowerCase()}@example.com`;
	const person = { name, email, password: 'seven miles along the coast' };
	await api(admin, all, 'POST', '/users', { ...person, role: 'member' });
	await admin.context().close();
	return enter(all, options, '/', person);
}

async function everyStop(all) {
	const page = await newcomer(all, 'Tabitha');
	await api(page, all, 'POST', '/conversations', { title: 'Only one' });
	await page.reload();
	await page.getByRole('link', { name: 'Only one', exact: true }).waitFor();
	await chooseModel(page, 'counter');
	await page.evaluate(() => document.activeElement?.blur());
	const stops = [];
	for (let press = 0; press < 20; press++) {
		await page.keyboard.press('Tab');
		const name = await focused(page);
		if (stops.includes(name)) break;
		stops.push(name);
		const ring = await page.evaluate(() => {
			const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
			const box = document.activeElement.closest('.box');
			return (
				(outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2) ||
				(box !== null && getComputedStyle(box).borderColor !== getComputedStyle(document.body).borderColor)
			);
		});
		if (name) expect(ring).equals(true, `the focus on ${name} can be seen`);
	}
	// Where the browser begins depends on what had the focus before; the order goes round.
	const names = stops.filter(Boolean);
	const first = names.indexOf('Skip to content');
	expect([...names.slice(first), ...names.slice(0, first)]).equals([
		'Skip to content',
		'Stoa, new conversation',
		'Hide navigation',
		'New conversation',
		'Search',
		'Assistants',
		'Projects',
		'Only one',
		'Actions for Only one',
		'Tabitha tabitha@example.com',
		'Width of the navigation',
		'Model: counter',
		'Temporary chat',
		'Parameters',
		'Message',
		'Add pictures'
	]);
	// The first stop leads past the navigation.
	await page.getByRole('link', { name: 'Skip to content' }).focus();
	await page.keyboard.press('Enter');
	await page.keyboard.press('Tab');
	await focus(page, 'Model: counter');
}

async function overlays(all) {
	const page = await newcomer(all, 'Kay');
	await api(page, all, 'POST', '/conversations', { title: 'Kept' });
	await page.reload();
	const actions = page.getByRole('button', { name: 'Actions for Kept' }).first();
	await page.getByRole('link', { name: 'Kept', exact: true }).focus();
	await page.keyboard.press('Tab');
	await focus(page, 'Actions for Kept');
	await page.keyboard.press('Enter');
	await focus(page, 'Rename');
	await page.keyboard.press('ArrowUp');
	await focus(page, 'Delete');
	await page.keyboard.press('Home');
	await focus(page, 'Rename');
	await page.keyboard.press('p');
	await focus(page, 'Pin');
	await page.keyboard.press('Escape');
	await focus(page, 'Actions for Kept');
	await until(
		'the menu to be closed',
		5_000,
		async () => (await actions.getAttribute('aria-expanded')) === 'false'
	);

	// From a menu into a dialog, and back to where the menu was opened.
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Enter');
	await page.getByRole('dialog', { name: 'Rename conversation' }).waitFor();
	await focus(page, 'Title');
	await page.keyboard.press('Escape');
	await focus(page, 'Actions for Kept');

	await page.getByRole('button', { name: /^Model: / }).focus();
	await page.keyboard.press('Enter');
	await focus(page, 'Search models');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Escape');
	await until('the focus on the model', 5_000, async () => (await focused(page)).startsWith('Model: '));

	await composer(page).focus();
	await page.keyboard.press('Control+k');
	await focus(page, 'Search, or say what to do');
	await page.keyboard.press('Escape');
	await focus(page, 'Message');

	await page.getByRole('button', { name: 'Parameters' }).focus();
	await page.keyboard.press('Enter');
	const temperature = page.getByRole('switch', { name: 'Temperature' });
	await temperature.focus();
	await page.keyboard.press('Space');
	expect(await temperature.getAttribute('aria-checked')).equals('true');
	await page.keyboard.press('Tab');
	await page.keyboard.press('ArrowRight');
	expect(await page.getByRole('slider', { name: 'Temperature' }).getAttribute('aria-valuetext')).equals(
		'0.8'
	);
	await page.getByRole('button', { name: 'Parameters' }).press('Enter');

	const account = page.getByRole('button', { name: /kay@example\.com/ });
	await account.focus();
	await page.keyboard.press('Enter');
	await focus(page, 'Settings');
	await page.keyboard.press('End');
	await focus(page, 'Sign out');
	await page.keyboard.press('Escape');
	await until('the focus on the account', 5_000, () =>
		account.evaluate((node) => node === document.activeElement)
	);
}

async function answerByKeys(all) {
	const page = await newcomer(all, 'Quentin');
	await chooseModel(page, 'reasoning');
	await composer(page).focus();
	await page.keyboard.type('Think first.');
	await page.keyboard.press('Enter');
	await complete(page);
	await focus(page, 'Message');
	const thoughts = page.getByRole('button', { name: /^Thought/ });
	await thoughts.focus();
	await page.keyboard.press('Space');
	expect(await thoughts.getAttribute('aria-expanded')).equals('true');
	const figures = lastAnswer(page).getByRole('button', { name: /tokens/ });
	await figures.focus();
	await page.keyboard.press('Enter');
	await page.getByRole('dialog', { name: 'Details' }).waitFor();
	await page.keyboard.press('Escape');
	await until('the focus on the figures', 5_000, () =>
		figures.evaluate((node) => node === document.activeElement)
	);
	// What a mouse finds by hovering over the question, the keyboard finds by going there.
	await page.getByRole('region', { name: 'Messages' }).focus();
	await page.keyboard.press('Tab');
	await focus(page, 'Copy');
	await page.keyboard.press('Tab');
	await focus(page, 'Edit');
	await page.keyboard.press('Enter');
	await focus(page, 'Edit message');
	await page.keyboard.press('Escape');
	await page.getByRole('textbox', { name: 'Edit message' }).waitFor({ state: 'detached' });
}

async function spoken(all) {
	const page = await enter(all, views['1440 px, light']);
	await page.evaluate(() => {
		globalThis.said = [];
		new MutationObserver(() => {
			const words = document.querySelector('main > [aria-live="polite"][aria-atomic="true"]')?.textContent;
			if (words && globalThis.said.at(-1) !== words) globalThis.said.push(words);
		}).observe(document.body, { subtree: true, childList: true, characterData: true });
	});
	await chooseModel(page, 'lorem');
	await send(page, 'Speak. [[tokens=300 rate=60]]');
	await growing(page, 200);
	await complete(page);
	const said = await until('the end to be said', 5_000, async () => {
		const all = await page.evaluate(() => globalThis.said);
		return all.at(-1)?.endsWith('The answer is complete.') ? all : null;
	});
	expect(said[0]).equals('Waiting for the model');
	expect(said.length).atMost(6, 'times something was said about 300 tokens in 5 s');
	const words = said.slice(1).join(' ').replace('The answer is complete.', '');
	expect(words.split(/\s+/).length > 290).equals(true, 'nothing of the answer is left out');
}

/** 1440 px at 200 %, 1280 px at 400 %, and the narrowest screens. */
const sizes = { '200 %': [720, 450], '400 %': [320, 256], '320 px': [320, 640] };

async function magnified(all) {
	for (const [size, [width, height]] of Object.entries(sizes)) {
		const page = await enter(all, { viewport: { width, height } });
		await chooseModel(page, 'markdown');
		await send(page, 'Show me everything.');
		await complete(page);
		await page.locator('.katex').first().waitFor();
		await accessible(page, `an answer at ${size}`);
		await picture(page, `answer at ${size}`);
		const field = await composer(page).boundingBox();
		expect(field.y + field.height <= height).equals(true, `the field is in view at ${size}`);
		const shown = await page.getByRole('region', { name: 'Messages' }).boundingBox();
		expect(shown.height >= 80).equals(true, `${shown.height} px of messages at ${size}`);
		for (const path of [
			'/conversations',
			'/settings',
			'/settings/providers',
			'/settings/members',
			'/settings/api-keys',
			'/settings/usage',
			'/functions/account'
		]) {
			await page.goto(all.stoa.origin + path);
			await page.getByRole('heading', { level: 1 }).waitFor();
			await until('no skeletons', 10_000, async () => (await page.getByText('Loading').count()) === 0);
			await accessible(page, `${path} at ${size}`);
		}
		await page.goto(all.stoa.origin);
		await page.getByRole('button', { name: 'Parameters' }).click();
		await page.getByRole('switch', { name: 'Temperature' }).waitFor();
		await accessible(page, `the parameters at ${size}`);
		await page.context().close();
	}
}

async function forcedColours(all) {
	const page = await enter(all, { ...views['1440 px, dark'], forcedColors: 'active' });
	await api(page, all, 'POST', '/conversations', { title: 'In black and white' });
	await page.reload();
	await page.getByRole('link', { name: 'In black and white', exact: true }).first().click();
	await page.getByRole('button', { name: 'Parameters' }).click();
	await page.getByRole('switch', { name: 'Temperature' }).click();
	await picture(page, 'forced colours');
	const styles = (locator, ...names) =>
		locator.evaluate((node, names) => names.map((name) => getComputedStyle(node)[name]), names);
	const row = page.locator('.row.current');
	expect((await styles(row, 'outlineStyle'))[0]).equals('solid', 'the current row');
	const on = await styles(
		page.getByRole('switch', { name: 'Temperature' }).locator('.track'),
		'backgroundColor'
	);
	const off = await styles(page.getByRole('switch', { name: 'Top P' }).locator('.track'), 'backgroundColor');
	expect(on[0] === off[0]).equals(false, 'a switch that is on looks like one that is off');
	await page.keyboard.press('Control+k');
	const chosen = page.getByRole('option', { selected: true });
	await chosen.waitFor();
	expect((await styles(chosen, 'outlineStyle'))[0]).equals('solid', 'what Enter would open');
}

async function motionless(all) {
	const page = await enter(all, views['1440 px, light']);
	await chooseModel(page, 'counter');
	await send(page, 'Count. [[tokens=100 rate=20]]');
	await growing(page, 20);
	const moving = await page.evaluate(() =>
		document
			.getAnimations()
			.filter((animation) => animation.playState === 'running' && animation.effect.getTiming().duration > 20)
			.map((animation) => animation.animationName ?? animation.transitionProperty)
	);
	expect(moving).equals([], 'what moves although less motion is asked for');
	await complete(page);
}

export const accessTests = [
	{ name: 'the keyboard reaches everything in a sensible order', run: everyStop },
	{ name: 'menus, dialogs and panels are worked and left by keys', run: overlays },
	{ name: 'an answer is asked for, opened and edited by keys', run: answerByKeys },
	{ name: 'a growing answer is spoken in sentences', run: spoken },
	{ name: 'large letters and narrow screens scroll one way only', run: magnified },
	{ name: 'forced colours leave every state visible', run: forcedColours },
	{ name: 'nothing moves where less motion is asked for', run: motionless }
];
