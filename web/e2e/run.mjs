// Runs the browser tests in order against one server: `npm run e2e [-- WORDS…]` runs those whose name has all the words
// (and the set-up that they need). The last line is `N passed, M failed, K skipped`.
import { startAll } from './harness.mjs';
import { accessTests } from './access.mjs';
import { accountTests } from './account.mjs';
import { assistantTests } from './assistants.mjs';
import { budgetTests } from './budget.mjs';
import { chatTests } from './chat.mjs';
import { compareTests } from './compare.mjs';
import { functionAccountTests } from './function-account.mjs';
import { functionSurroundingsTests } from './function-surroundings.mjs';
import { functionTests } from './functions.mjs';
import { galleryTests } from './gallery.mjs';
import { messageTests } from './messages.mjs';
import { hostileTests } from './hostile.mjs';
import { navigationTests } from './navigation.mjs';
import { personalTests } from './personal.mjs';
import { pictureTests } from './pictures.mjs';
import { projectTests } from './projects.mjs';
import { queueTests } from './queue.mjs';
import { resilienceTests } from './resilience.mjs';
import { searchTests } from './search.mjs';
import { shortcutTests } from './shortcuts.mjs';
import { settingsTests } from './settings/index.mjs';
import { sharedAssistantTests } from './shared-assistants.mjs';
import { sharingTests } from './sharing.mjs';
import { transferTests } from './transfer.mjs';
import { temporaryTests } from './temporary.mjs';
import { threadTests } from './threads.mjs';
import { volumeTests } from './volumes.mjs';
import { walkThroughTests } from './walk-through.mjs';

const LIMIT_MS = 180_000;
const words = process.argv.slice(2).map((word) => word.toLowerCase());
const tests = [
	...accountTests,
	...budgetTests,
	...chatTests,
	...pictureTests,
	...navigationTests,
	...assistantTests,
	...sharedAssistantTests,
	...galleryTests,
	...searchTests,
	...shortcutTests,
	...queueTests,
	...messageTests,
	...compareTests,
	...threadTests,
	...temporaryTests,
	...projectTests,
	...transferTests,
	...sharingTests,
	...accessTests,
	...settingsTests,
	...walkThroughTests,
	...personalTests,
	...functionTests,
	...functionAccountTests,
	...functionSurroundingsTests,
	...volumeTests,
	...hostileTests,
	...resilienceTests
];
const counts = { passed: 0, failed: 0, skipped: 0 };

function limited(work) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`took longer than ${LIMIT_MS / 1000} s`)), LIMIT_MS);
	});
	return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const all = await startAll();
try {
	for (const { name, run, setUp = false, skip = null } of tests) {
		if (!setUp && !words.every((word) => name.toLowerCase().includes(word))) continue;
		if (skip) {
			counts.skipped += 1;
			console.log(`skipped  ${name}: ${skip}`);
			continue;
		}
		const begun = Date.now();
		const before = all.browser.contexts().length;
		try {
			await limited(run(all));
			const complaints = all.browser
				.contexts()
				.slice(before)
				.flatMap((context) => context.pages())
				.flatMap((page) => page.complaints ?? []);
			if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join('\n')}`);
			counts.passed += 1;
			console.log(`ok       ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
		} catch (error) {
			counts.failed += 1;
			console.log(`FAILED   ${name}\n${String(error.stack ?? error).replace(/^/gm, '         ')}`);
			const pages = all.browser.contexts().flatMap((context) => context.pages());
			for (const [index, page] of pages.entries()) {
				const open = [...(page.unanswered ?? [])].map((request) => `${request.method()} ${request.url()}`);
				const said = [...(page.complaints ?? []), ...open.map((request) => `unanswered: ${request}`)];
				console.log(said.join('\n').replace(/^/gm, '         '));
				const path = new URL(`output/failed-${counts.failed}-${index}.png`, import.meta.url).pathname;
				await page.screenshot({ path }).catch(() => undefined);
			}
			if (setUp) break;
		}
		for (const context of all.browser.contexts()) await context.close();
	}
} finally {
	await all.close();
}
if (counts.failed > 0) console.log(all.stoa.log.split('\n').slice(-40).join('\n'));
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 ? 1 : 0);
