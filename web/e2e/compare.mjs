// Several models answer one question side by side, and one of them is kept.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import {
	accessible,
	answerText,
	chooseModel,
	complete,
	counted,
	lastAnswer,
	newcomer,
	picture,
	says,
	send
} from './page.mjs';

const compared = (view) => async (all) => {
	const page = await newcomer(all, `Cora${view.replace(/\W/g, '')}`, views[view], '/');
	await chooseModel(page, 'echo');
	await send(page, 'Count. [[tokens=12]]');
	await page.waitForURL('**/c/*');
	await complete(page);
	// Drawing comes a moment after the end is known.
	await until('the words of the answer', 10_000, async () => (await answerText(page)) !== '');
	const first = await answerText(page);
	await lastAnswer(page).hover();
	await lastAnswer(page).getByRole('button', { name: 'More' }).click();
	await page.getByRole('menuitem', { name: 'Compare models…' }).click();
	const dialog = page.getByRole('dialog', { name: 'Compare models' });
	await dialog.getByRole('article', { name: 'Answer of echo' }).getByText(first).waitFor();
	const counter = dialog.getByLabel('Another model');
	const value = await counter.locator('option', { hasText: 'counter ·' }).first().getAttribute('value');
	await counter.selectOption(value);
	await dialog.getByRole('button', { name: 'Ask it' }).click();
	const beside = dialog.getByRole('article', { name: 'Answer of counter' });
	await until('the second answer', 20_000, async () => (await beside.innerText()).includes(counted(12)));
	await accessible(page, `answers side by side, ${view}`);
	await picture(page, `compare ${view}`);

	// Closed without a choice, the conversation goes on as it was.
	await page.keyboard.press('Escape');
	await dialog.waitFor({ state: 'hidden' });
	await says(page, first);
	await page.getByText('1 / 2').waitFor();

	// What was answered is there again, and is kept this time.
	await lastAnswer(page).hover();
	await lastAnswer(page).getByRole('button', { name: 'More' }).click();
	await page.getByRole('menuitem', { name: 'Compare models…' }).click();
	await beside.getByText(counted(12)).waitFor();
	await beside.getByRole('button', { name: 'Keep this one counter' }).click();
	await dialog.waitFor({ state: 'hidden' });
	await says(page, counted(12));
	await page.reload();
	await says(page, counted(12));
	expect(await page.getByText('2 / 2').count()).equals(1);
};

export const compareTests = ['1440 px, light', '390 px, dark'].map((view) => ({
	name: `models are compared side by side, ${view}`,
	run: compared(view)
}));
