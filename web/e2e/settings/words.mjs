// What the tests of the settings share.
import { open, api, enter } from '../page.mjs';
import { views } from '../harness.mjs';

let next = 1;

/** Somebody new with a password that is known, so that tests do not disturb one another. */
export async function person(all, name, role = 'member') {
	const admin = await enter(all);
	const made = {
		name: `${name} ${next}`,
		email: `${name.toLowerCase()}${next++}@example.com`,
		password: `${name} walks seven miles`
	};
	await api(admin, all, 'POST', '/users', { ...made, role });
	await admin.context().close();
	return made;
}

export const tableRow = (page, text) => page.getByRole('row').filter({ hasText: text });

/** The same steps on every size and theme, each with a browser of its own. */
export async function inEveryView(all, steps) {
	for (const [view, options] of Object.entries(views)) {
		const page = await open(all, options);
		await steps(page, view);
		if (page.complaints.length > 0)
			throw new Error(`${view}: the page complained:\n${page.complaints.join('\n')}`);
		await page.context().close();
	}
}
