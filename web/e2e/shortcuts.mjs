// The palette, the keys and what they do: by keys alone, and kept.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { accessible, api, chooseModel, complete, composer, newcomer, picture, send } from './page.mjs';

const field = (page) => page.getByRole('combobox', { name: 'Search, or say what to do' });
const options = (page) => page.getByRole('option');

const palette = (view) => async (all) => {
	const page = await newcomer(all, `Pal${view.replace(/\W/g, '')}`, views[view], '/');
	await api(page, all, 'POST', '/conversations', { title: 'A walk in the zen garden' });
	await composer(page).waitFor();
	await page.keyboard.press('Control+k');
	await options(page).filter({ hasText: 'zen garden' }).waitFor();
	await page.getByRole('group', { name: 'Commands' }).waitFor();
	await accessible(page, `the palette, ${view}`);
	await picture(page, `palette ${view}`);

	// Commands and conversations in one list, the first of which Enter takes.
	await field(page).fill('zen');
	await until('both', 10_000, async () => (await options(page).count()) === 2);
	expect(await options(page).first().getAttribute('aria-selected')).equals('true');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('Enter');
	await page.waitForURL('**/c/*');
	await page.getByRole('heading', { name: 'A walk in the zen garden' }).waitFor();

	// Opened again in the moment in which it closes, it stays.
	await page.keyboard.press('Control+k');
	await field(page).waitFor();
	await page.evaluate(async () => {
		const dialog = document.querySelector('dialog[open]');
		const over = new Promise((done) => dialog.addEventListener('close', done, { once: true }));
		dialog.close();
		document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }));
		await over;
	});
	expect(await field(page).isVisible()).equals(true, 'the palette opened again');
	await page.keyboard.press('Escape');
	await field(page).waitFor({ state: 'hidden' });

	// A page of the settings by a few of its letters; a theme by another name.
	await page.keyboard.press('Control+k');
	await field(page).fill('set sess');
	await page.keyboard.press('Enter');
	await page.waitForURL('**/settings/sessions');
	await page.keyboard.press('Control+k');
	const dark = await page.evaluate(() => document.documentElement.dataset.theme === 'dark');
	await field(page).fill(dark ? '>light' : '>dark');
	await page.keyboard.press('Enter');
	await until('the other theme', 5_000, () =>
		page.evaluate((dark) => (document.documentElement.dataset.theme === 'dark') !== dark, dark)
	);

	// The models are a list of their own.
	await page.goto(all.stoa.origin);
	await composer(page).waitFor();
	await page.keyboard.press('Alt+m');
	await page.getByRole('combobox', { name: 'Search models' }).fill('lorem');
	await until('one model', 5_000, async () => (await options(page).count()) === 1);
	await accessible(page, `the models in the palette, ${view}`);
	await picture(page, `palette models ${view}`);
	await page.keyboard.press('Enter');
	await page.getByRole('button', { name: 'Model: lorem' }).waitFor();
	await page.getByRole('combobox', { name: 'Search models' }).waitFor({ state: 'hidden' });
	await page.keyboard.press('Control+k');
	await field(page).fill('qqqq');
	await page.getByText('Nothing found').first().waitFor();
	await accessible(page, `the palette with nothing, ${view}`);
};

async function help(all) {
	const page = await newcomer(all, 'Helpa', views['1440 px, light'], '/');
	await composer(page).fill('What?');
	await composer(page).press('?');
	expect(await composer(page).inputValue()).equals('What??', 'a question mark is text in a text');
	await page.keyboard.press('Control+/');
	const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
	await sheet.getByText('Ctrl K').waitFor();
	await accessible(page, 'the sheet of keys');
	await picture(page, 'keys');
	await page.keyboard.press('Escape');
	await page.evaluate(() => document.activeElement?.blur());
	await page.keyboard.press('?');
	await sheet.getByRole('link', { name: 'Change the keys' }).click();
	await page.waitForURL('**/settings/shortcuts');
	const zen = page.getByRole('button', { name: /^Keys: Zen mode/ });
	await zen.click();
	await zen.getByText('Press the keys').waitFor();
	// What is text by itself is refused, what something else has is said, and taken when that is meant.
	await page.keyboard.press('j');
	await page.getByRole('alert').filter({ hasText: 'Hold Ctrl' }).waitFor();
	await page.keyboard.press('Alt+m');
	await page.getByRole('alert').filter({ hasText: 'Choose a model' }).waitFor();
	await accessible(page, 'keys that are taken');
	await picture(page, 'keys taken');
	await page.getByRole('button', { name: 'Use it here' }).click();
	await zen.getByText('Alt M').waitFor();
	await page
		.getByRole('button', { name: /^Keys: Choose a model/ })
		.getByText('None')
		.waitFor();

	await page.goto(all.stoa.origin);
	await composer(page).waitFor();
	await page.keyboard.press('Alt+m');
	await page.getByRole('button', { name: 'Leave zen mode' }).waitFor();
	expect(await page.getByRole('navigation').count()).equals(0, 'navigation in zen mode');
	expect(await page.getByRole('button', { name: /^Model: / }).count()).equals(0, 'the header in zen mode');
	await accessible(page, 'zen mode');
	await picture(page, 'zen');
	await page.getByRole('button', { name: 'Leave zen mode' }).click();
	await page.getByRole('button', { name: /^Model: / }).waitFor();
	await page.goto(`${all.stoa.origin}/settings/shortcuts`);
	await page.getByRole('button', { name: 'As at first' }).click();
	await zen.getByText('Alt Z').waitFor();
}

async function keys(all) {
	const page = await newcomer(all, 'Keyra', views['1440 px, light'], '/');
	await chooseModel(page, 'echo');
	await send(page, 'Say this back.');
	await complete(page);
	await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
	await page.keyboard.press('Alt+Shift+c');
	await until('the copy', 5_000, async () => {
		return (await page.evaluate(() => navigator.clipboard.readText())) === 'Say this back.';
	});
	await page.evaluate(() => document.activeElement?.blur());
	await page.keyboard.press('Alt+c');
	await until('the field', 5_000, () => composer(page).evaluate((node) => node === document.activeElement));
	const navigation = page.getByRole('navigation', { name: 'Conversations' });
	await page.keyboard.press('Control+b');
	await navigation.waitFor({ state: 'detached' });
	await page.keyboard.press('Control+b');
	await navigation.waitFor();
}

async function width(all) {
	const page = await newcomer(all, 'Wida', views['1440 px, light'], '/');
	const navigation = page.getByRole('navigation', { name: 'Conversations' });
	const grip = page.getByRole('separator', { name: 'Width of the navigation' });
	const wide = async () => Math.round((await navigation.boundingBox()).width);
	await grip.focus();
	await page.keyboard.press('ArrowRight');
	await until('16 px more', 5_000, async () => (await grip.getAttribute('aria-valuenow')) === '288');
	await page.keyboard.press('End');
	await until('the widest', 5_000, async () => Math.abs((await wide()) - 480) <= 1);
	await accessible(page, 'a wide navigation');
	const box = await grip.boundingBox();
	await page.mouse.move(box.x + 4, 300);
	await page.mouse.down();
	await page.mouse.move(340, 310, { steps: 4 });
	await page.mouse.up();
	await until('as far as it was drawn', 5_000, async () => Math.abs((await wide()) - 340) <= 2);
	await page.mouse.move(600, 310);
	await page.reload();
	await navigation.waitFor();
	expect(Math.abs((await wide()) - 340) <= 2).equals(true, `${await wide()} px after a reload`);
	await page.mouse.dblclick((await grip.boundingBox()).x + 4, 300);
	await until('the ordinary width', 5_000, async () => Math.abs((await wide()) - 272) <= 1);
}

export const shortcutTests = [
	...['1440 px, light', '1440 px, dark', '390 px, light', '390 px, dark'].map((view) => ({
		name: `the palette does, goes and finds, ${view}`,
		run: palette(view)
	})),
	{ name: 'shortcuts are shown, changed and given back, and zen mode leaves only the page', run: help },
	{ name: 'shortcuts copy, write and hide the navigation', run: keys },
	{ name: 'the navigation is made wider by keys and pointer', run: width }
];
