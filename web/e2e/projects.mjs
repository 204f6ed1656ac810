// Projects, tags, the archive, and many conversations at once.
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { accessible, api, chooseModel, complete, newcomer, picture, says, send } from './page.mjs';

const option = (page, label) => page.getByRole('combobox', { name: label, exact: true });

const project = (view) => async (all) => {
	const page = await newcomer(all, `Pru${view.replace(/\W/g, '')}`, views[view], '/projects');
	await page.getByRole('heading', { name: 'No projects yet' }).waitFor();
	await accessible(page, `no projects, ${view}`);
	await page.getByRole('button', { name: 'New project' }).click();
	await page.getByLabel('Name', { exact: true }).fill('Thesis');
	await page.getByLabel('Emoji', { exact: true }).fill('🎓');
	await option(page, 'Colour').selectOption('Sky');
	await page.getByLabel('Instructions').fill('Cite your sources.');
	await option(page, 'Model of new conversations').selectOption('mock/echo');
	await accessible(page, `a new project, ${view}`);
	await picture(page, `project new ${view}`);
	await page.getByRole('button', { name: 'Create project' }).click();
	await page
		.getByRole('link', { name: /Thesis/ })
		.first()
		.waitFor();
	await accessible(page, `projects, ${view}`);
	await picture(page, `projects ${view}`);

	// A conversation that is begun in it has its model, and is in it.
	await page.getByRole('button', { name: 'Actions for Thesis' }).click();
	await page.getByRole('menuitem', { name: 'New conversation' }).click();
	await page.getByRole('button', { name: 'Model: echo' }).waitFor();
	await send(page, 'In the project');
	await complete(page);
	await says(page, 'In the project');
	const { items } = await api(page, all, 'GET', '/projects');
	const inside = await api(page, all, 'GET', `/conversations?project=${items[0].id}`);
	expect(inside.items.length).equals(1);

	// Another is moved into it by its menu, with tags.
	await api(page, all, 'POST', '/conversations', { title: 'Outside' });
	await page.goto(`${all.stoa.origin}/conversations`);
	const row = page.getByRole('listitem').filter({ hasText: 'Outside' }).last();
	await row.hover();
	await row.getByRole('button', { name: 'Actions for Outside' }).click();
	await page.getByRole('menuitem', { name: 'Project and tags…' }).click();
	await option(page, 'Project').selectOption('Thesis');
	await page.getByRole('textbox', { name: 'Tags' }).fill('work, 读书');
	await accessible(page, `project and tags, ${view}`);
	await picture(page, `organise ${view}`);
	await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
	await until('the conversation to be in the project', 10_000, async () => {
		const { items: now } = await api(page, all, 'GET', `/conversations?project=${items[0].id}`);
		return now.length === 2 && now.some(({ tags }) => String(tags) === 'work,读书');
	});
	await page.goto(`${all.stoa.origin}/conversations?project=${items[0].id}`);
	await page.getByRole('heading', { name: 'Thesis', level: 1 }).waitFor();
	await page.getByRole('main').getByRole('link', { name: 'Outside' }).waitFor();
	await accessible(page, `the conversations of a project, ${view}`);
	await picture(page, `project conversations ${view}`);

	// It goes; its conversations stay.
	await page.goto(`${all.stoa.origin}/projects`);
	await page.getByRole('button', { name: 'Actions for Thesis' }).click();
	await page.getByRole('menuitem', { name: 'Delete project' }).click();
	await accessible(page, `deleting a project, ${view}`);
	await page.getByRole('dialog').getByRole('button', { name: 'Delete project' }).click();
	await page.getByRole('heading', { name: 'No projects yet' }).waitFor();
	const left = await api(page, all, 'GET', '/conversations');
	expect(left.items.map(({ project_id: of }) => of)).equals([null, null]);
};

async function drag(all) {
	const page = await newcomer(all, 'Dora', views['1440 px, light'], '/');
	const made = await api(page, all, 'POST', '/projects', { name: 'Garden', model: null });
	await api(page, all, 'POST', '/conversations', { title: 'Seeds' });
	await page.goto(`${all.stoa.origin}/projects`);
	const row = page.getByRole('navigation').getByRole('link', { name: 'Seeds' });
	await row.waitFor();
	await row.dragTo(page.getByRole('main').getByRole('link', { name: /Garden/ }));
	await page.getByText('Moved to Garden').first().waitFor();
	const { items } = await api(page, all, 'GET', `/conversations?project=${made.id}`);
	expect(items.map(({ title }) => title)).equals(['Seeds']);
	// Now the project stands in the navigation, and takes others there.
	await api(page, all, 'POST', '/conversations', { title: 'Soil' });
	await page.goto(all.stoa.origin);
	const target = page.getByRole('navigation').getByRole('link', { name: 'Garden' });
	await target.waitFor();
	await page.getByRole('navigation').getByRole('link', { name: 'Soil' }).dragTo(target);
	await page.getByText('Moved to Garden').first().waitFor();
	await accessible(page, 'projects in the navigation');
	await picture(page, 'projects navigation');
}

const manage = (view) => async (all) => {
	const page = await newcomer(all, `Max${view.replace(/\W/g, '')}`, views[view], '/');
	for (let number = 1; number <= 6; number += 1)
		await api(page, all, 'POST', '/conversations', { title: `Number ${number}` });
	const made = await api(page, all, 'POST', '/projects', { name: 'Garden', model: null });
	await page.goto(`${all.stoa.origin}/conversations/manage`);
	const rows = page.getByRole('main').getByRole('listitem');
	const shown = (count) => until(`${count} rows`, 10_000, async () => (await rows.count()) === count);
	await shown(6);
	for (const number of [1, 2]) await page.getByRole('checkbox', { name: `Choose Number ${number}` }).check();
	await page.getByText('2 chosen').waitFor();
	await accessible(page, `many conversations, ${view}`);
	await picture(page, `manage ${view}`);
	const bar = page.getByRole('region', { name: 'What to do with those chosen' });

	// Into the archive, back by undo, and again.
	await bar.getByRole('button', { name: 'Archive', exact: true }).click();
	await shown(4);
	await page.getByRole('button', { name: 'Undo' }).click();
	await shown(6);
	for (const number of [1, 2]) await page.getByRole('checkbox', { name: `Choose Number ${number}` }).check();
	await bar.getByRole('button', { name: 'Archive', exact: true }).click();
	await shown(4);
	await page.getByRole('radio', { name: 'Archive' }).check({ force: true });
	await shown(2);
	await accessible(page, `the archive, ${view}`);
	await picture(page, `archive ${view}`);
	await page.getByRole('checkbox', { name: 'Choose Number 1' }).check();
	await bar.getByRole('button', { name: 'Restore from archive' }).click();
	await shown(1);
	await page.getByRole('radio', { name: 'Conversations' }).check({ force: true });
	await shown(5);

	// Tags, a move, and a deletion with its way back.
	await page.getByRole('checkbox', { name: /^Choose all/ }).check();
	await page.getByText('5 chosen').waitFor();
	await bar.getByLabel('Tags to add').fill('spring');
	await bar.getByRole('button', { name: 'Add tags' }).click();
	await until(
		'the tags',
		10_000,
		async () => (await page.getByRole('main').getByText('spring').count()) >= 5
	);
	await page.getByRole('checkbox', { name: 'Choose Number 3' }).check();
	await bar.getByRole('combobox', { name: 'Move to…' }).selectOption('Garden');
	await page.getByText('Moved to Garden').first().waitFor();
	const { items } = await api(page, all, 'GET', `/conversations?project=${made.id}`);
	expect(items.map(({ title, tags }) => [title, String(tags)])).equals([['Number 3', 'spring']]);
	await page.getByRole('checkbox', { name: /^Choose all/ }).check();
	await bar.getByRole('button', { name: 'Delete', exact: true }).click();
	await page.getByText('No conversations here').waitFor();
	await page.getByRole('button', { name: 'Undo' }).last().click();
	await shown(5);
};

async function fromMenu(all) {
	const page = await newcomer(all, 'Arno', views['1440 px, light'], '/');
	await chooseModel(page, 'echo');
	await send(page, 'Put me away');
	await complete(page);
	const title = await page.getByRole('heading', { level: 1 }).innerText();
	const row = page.getByRole('navigation').getByRole('link', { name: title });
	await row.hover();
	await page
		.getByRole('navigation')
		.getByRole('button', { name: `Actions for ${title}` })
		.click();
	await page.getByRole('menuitem', { name: 'Archive', exact: true }).click();
	await until('the row to go', 10_000, async () => (await row.count()) === 0);
	// It is still on the page, and comes back to the list when it goes on.
	expect(await page.getByRole('heading', { level: 1 }).innerText()).equals(title);
	await send(page, 'And here I am');
	await complete(page);
	await row.waitFor();
}

export const projectTests = [
	...['1440 px, light', '1440 px, dark', '390 px, light'].map((view) => ({
		name: `projects are made, begun in, moved to, and go, ${view}`,
		run: project(view)
	})),
	{ name: 'projects take conversations that are dropped on them', run: drag },
	...['1440 px, light', '390 px, dark'].map((view) => ({
		name: `projects: many conversations are archived, tagged, moved, deleted, ${view}`,
		run: manage(view)
	})),
	{ name: 'projects: an archived conversation comes back when it goes on', run: fromMenu }
];
