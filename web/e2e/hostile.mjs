// Texts that attack whoever reads them, in every place that shows a text: nothing of them runs, loads or submits anything, and
// the page's policy has nothing to report.
import { startAgent } from './agent.mjs';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { api, chooseModel, complete, lastAnswer, newcomer, picture, questions, send } from './page.mjs';

const run = 'window.pwned=1';

/** In a line each, for names and titles as for messages. */
const lines = [
	`<script>${run}</script>`,
	`<img src=x onerror=${run}>`,
	`"><svg onload=${run}>`,
	`'"--><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
	`<a href="javascript:${run}" id=go>go</a>`,
	`<details open ontoggle=${run}>x</details>`,
	`<input autofocus onfocus=${run}>`,
	`<style>@import 'https://evil.example/x.css'</style>`,
	`<link rel=stylesheet href=https://evil.example/x.css>`,
	`<img src=https://evil.example/seen.png>`,
	`<form action=https://evil.example><button>Sign in again</button></form>`,
	`<base href=https://evil.example/>`,
	`<meta http-equiv=refresh content="0;url=https://evil.example">`,
	`{{constructor.constructor('${run}')()}} \${${run}} {@html '<b>'}`,
	`</title><script>${run}</script>`
];

/** Markdown, formulas, diagrams and what sanitisers were once deceived by. */
const blocks = [
	...lines,
	`[go](javascript:${run})`,
	`[go](<java\nscript:${run}>)`,
	`[go][ref]\n\n[ref]: javascript:${run}`,
	`![seen](https://evil.example/seen.png)`,
	`![x](x "onerror=${run}")`,
	`<https://evil.example/"onmouseover="${run}>`,
	`$\\href{javascript:${run}}{x}$ and $\\url{javascript:${run}}$`,
	`$\\htmlData{onclick=${run}}{x}$ $\\htmlStyle{position:fixed}{x}$`,
	`$$\\includegraphics[alt=x]{https://evil.example/seen.png}$$`,
	`$\\text{<img src=x onerror=${run}>}$`,
	`\`\`\`mermaid\ngraph TD\nA["<img src=x onerror=${run}>"] --> B\nclick A "javascript:${run}"\n\`\`\``,
	`\`\`\`html" onmouseover="${run}\n<script>${run}</script>\n\`\`\``,
	`\`\`\`svg\n<svg xmlns="http://www.w3.org/2000/svg" onload="${run}"/>\n\`\`\``,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${run}&gt;">`,
	`<svg></p><style><a id="</style><img src=1 onerror=${run}>">`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=${run}>`,
	`<noscript><p title="</noscript><img src=x onerror=${run}>">`,
	`<template shadowrootmode=open><img src=x onerror=${run}></template>`,
	`<img name=getElementById><form id=body name=head></form>`,
	`<div style="position:fixed;inset:0;z-index:9999">Session expired</div>`,
	`<span data-math="inline"><img src=x onerror=${run}></span>`,
	`| a |\n|---|\n| <img src=x onerror=${run}> |`,
	`- <script>${run}</script>\n  > <svg/onload=${run}>`
].join('\n\n');

/** Watches a page from before its first script. */
async function watch(page) {
	await page.addInitScript(() => {
		globalThis.reports = [];
		document.addEventListener('securitypolicyviolation', (event) => {
			globalThis.reports.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
		});
	});
	page.on('dialog', (dialog) => {
		page.complaints.push(`a dialog: ${dialog.message()}`);
		void dialog.dismiss();
	});
}

async function harmless(page, where) {
	const found = await page.evaluate(() => {
		const foreign = [
			...document.querySelectorAll('iframe, object, embed, base, form[action*="evil"], img, script, link')
		]
			.filter((element) => {
				const at = element.src || element.href || element.data || element.action || '';
				return at && new URL(at, location.href).origin !== location.origin && !/^(data|blob):/.test(at);
			})
			.map((element) => element.outerHTML.slice(0, 120));
		const leads = [...document.querySelectorAll('a[href]')]
			.map((link) => link.href)
			.filter((href) => !/^(https?|mailto|tel):/.test(href));
		const handlers = [...document.querySelectorAll('*')].flatMap((element) =>
			[...element.attributes]
				.filter(({ name }) => name.startsWith('on'))
				.map(({ name }) => `${element.tagName} ${name}`)
		);
		const covering = [...document.querySelectorAll('.markdown *')].filter(
			(element) => getComputedStyle(element).position === 'fixed'
		);
		const lost =
			typeof document.getElementById === 'function' && document.body instanceof HTMLElement
				? []
				: ['clobbered'];
		return [
			...(globalThis.pwned ? ['something ran'] : []),
			...globalThis.reports,
			...foreign,
			...leads,
			...handlers,
			...covering.map((element) => `covers the page: ${element.outerHTML.slice(0, 80)}`),
			...lost
		];
	});
	expect(found).equals([], where);
	expect(page.url().startsWith('http://127.0.0.1')).equals(true, `${where} leads away`);
}

async function hostile(all) {
	const agent = await startAgent({ origin: all.stoa.origin });
	const page = await newcomer(all, 'Mallory', views['1440 px, light'], '/');
	await watch(page);
	const make = (method, path, data) => api(page, all, method, path, data);
	const own = await make('POST', '/personal-providers', {
		name: lines[1],
		slug: 'own',
		base_url: `http://${agent.authority}/v1`
	});
	const model = {
		display_name: `hostile ${lines[2]}`,
		context_window: null,
		abilities: [],
		prices: null,
		stand_in: null
	};
	await make('PUT', `/personal-providers/${own.id}/models`, {
		models: [{ ...model, name: 'm"><img src=x>', enabled: true }]
	});

	// Names of everything.
	await make('PATCH', '/me', { name: lines[0] });
	await make('POST', '/api-keys', { name: lines[1] });
	const projects = await Promise.all(
		lines.slice(0, 6).map((name) => make('POST', '/projects', { name, instructions: blocks, icon: '🗂️' }))
	);
	const assistants = await Promise.all(
		lines.slice(0, 8).map((line, place) =>
			make('POST', '/assistants', {
				name: line.slice(0, 80),
				description: lines[(place + 1) % lines.length],
				tags: [lines[1].slice(0, 30)],
				opening_message: blocks,
				opening_questions: lines.slice(0, 4),
				role: blocks
			})
		)
	);
	for (const title of lines) await make('POST', '/conversations', { title, project_id: projects[0].id });
	const tagged = await make('POST', '/conversations', { title: 'tagged', assistant_id: assistants[0].id });
	await make('PATCH', `/conversations/${tagged.id}`, { tags: [lines[1].slice(0, 30)] });

	// What a model says, while it grows and as it is kept, and what its provider says of an error.
	await page.goto(`${all.stoa.origin}/`);
	await chooseModel(page, 'hostile');
	await send(page, `[say]${blocks}`);
	await page.waitForURL('**/c/*');
	const watched = [];
	await until('the end of a hostile answer', 60_000, async () => {
		await harmless(page, 'an answer that grows');
		watched.push(await lastAnswer(page).getAttribute('aria-busy'));
		return watched.at(-1) === 'false';
	});
	expect(watched.includes('true')).equals(true, 'the answer was looked at while it grew');
	await complete(page);
	await harmless(page, 'an answer that was streamed');
	await picture(page, 'hostile answer');
	await page.reload();
	await lastAnswer(page).getByText('covers').or(lastAnswer(page).locator('.markdown')).first().waitFor();
	await harmless(page, 'an answer that is kept');
	await lastAnswer(page).hover();
	await page.mouse.wheel(0, -100_000);
	await questions(page)
		.last()
		.hover({ position: { x: 20, y: 20 } });
	await questions(page).last().getByRole('button', { name: 'Edit' }).click();
	await harmless(page, 'a message that is edited');
	await page.keyboard.press('Escape');
	await page.mouse.wheel(0, 100_000);
	for (const link of await lastAnswer(page).locator('.markdown a').all()) await link.hover();
	await send(page, `[fail]${lines[1]}`);
	await lastAnswer(page).getByText('the agent is asleep').waitFor();
	await harmless(page, 'an error of a provider');
	page.complaints.splice(0, Infinity, ...page.complaints.filter((complaint) => !/503/.test(complaint)));
	const conversation = new URL(page.url()).pathname;

	for (const line of lines.slice(0, 4)) {
		await make('POST', '/prompts', { name: line.slice(0, 80), text: `${line} {{place}}`, variables: [] });
	}
	const id = conversation.split('/').pop();
	const link = await make('POST', `/conversations/${id}/shares`, { audience: 'members' });

	// Every place that shows a name.
	const places = [
		'/',
		`/c/${tagged.id}`,
		'/assistants',
		`/assistants/${assistants[1].id}`,
		`/?assistant=${assistants[2].id}`,
		'/projects',
		'/conversations',
		'/conversations/manage',
		'/settings/profile',
		'/settings/api-keys',
		'/settings/usage',
		'/settings/prompts',
		'/settings/links',
		'/settings/data',
		link.path,
		'/settings/personal',
		`/settings/personal/${own.id}`
	];
	for (const place of places) {
		await page.goto(all.stoa.origin + place);
		await page.getByRole('main').first().waitFor();
		await until(`${place} without skeletons`, 10_000, async () => {
			return (await page.getByRole('status', { name: 'Loading' }).count()) === 0;
		});
		await harmless(page, place);
	}
	await page.goto(all.stoa.origin + conversation);
	await lastAnswer(page).waitFor();
	await page.keyboard.press('Control+k');
	await page.getByRole('dialog').getByRole('combobox').fill('onerror script');
	await page.getByRole('option').first().waitFor();
	await harmless(page, 'a search');
	const { authority } = agent;
	const others = page.complaints.filter((complaint) => complaint !== `asked http://${authority}`);
	expect(others).equals([], 'the page asked or said something');
	page.complaints.length = 0;
	agent.close();
}

export const hostileTests = [{ name: 'hostile texts are harmless wherever they are shown', run: hostile }];
