// What a function has around it: packages from an index, services that it is bound to, and times at which it is called.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { accessible, api, enter, picture } from './page.mjs';

const LATE = 30_000;
const tab = (page, name) => page.getByRole('tab', { name, exact: true });

/** On a narrow screen one part of the workshop is shown at a time. */
async function part(page, name) {
	const choice = page.getByRole('radio', { name, exact: true });
	await tab(page, 'Code').click();
	await page.getByRole('textbox', { name: 'Code editor' }).or(choice).first().waitFor();
	if ((await choice.count()) > 0) await choice.check({ force: true });
}

/** A function of one Python file, on its page. */
async function made(page, all, name, source) {
	const { id } = await api(page, all, 'POST', '/functions', { name, template: 'python-agent' });
	const { revision } = await api(page, all, 'GET', `/functions/${id}`);
	const changes = [{ path: 'app.py', text: source }];
	await api(page, all, 'PUT', `/functions/${id}/code`, { revision, changes });
	await page.goto(`${all.stoa.origin}/functions/${id}`);
	return id;
}

/** A program that answers every request with what this expression is. */
const answering = (expression, imports = '') => `
import os, socket
from http.server import BaseHTTPRequestHandler, HTTPServer
${imports}
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(${expression}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
`;

/** Sends a request from the test pane. */
async function ask(page) {
	await part(page, 'Test');
	await page.getByRole('radio', { name: 'HTTP', exact: true }).check({ force: true });
	await page.getByRole('button', { name: 'Send', exact: true }).click();
}

const bindings = (view) => async (all) => {
	const service = createServer((socket) => socket.end('three orders'));
	await new Promise((done) => service.listen(0, '127.0.0.1', done));
	const { port } = service.address();
	const page = await enter(all, views[view], '/functions');
	const name = `orders-${view.slice(0, 3)}`.replace(/\W+$/, '');
	const there = "(os.environ['ORDERS_DB_HOST'], int(os.environ['ORDERS_DB_PORT']))";
	const id = await made(page, all, name, answering(`socket.create_connection(${there}).recv(100).decode()`));
	await tab(page, 'Settings').click();
	await page.getByRole('button', { name: 'Add binding' }).click();
	const field = (label) => page.getByRole('textbox', { name: label, exact: true });
	await field('Binding').fill('Orders DB');
	await field('Host').fill('127.0.0.1');
	await field('Port').last().fill(String(port));
	await field('Port inside').fill('80');
	const save = page.getByRole('button', { name: 'Save' }).first();
	await save.click();
	await page.getByText('Small letters, digits, - and _; a letter first').waitFor();
	await accessible(page, `a binding with faults, ${view}`);
	await field('Binding').fill('orders-db');
	await save.click();
	await page.getByText('From 1024 to 65535').waitFor();
	await field('Port inside').fill('15432');
	await page.getByLabel('Kept prepared').fill('9');
	await save.click();
	await page.getByText('From 0 to 8.').waitFor();
	await page.getByLabel('Kept prepared').fill('1');
	await save.click();
	await page.getByText('Settings saved').first().waitFor();
	await accessible(page, `a binding, ${view}`);
	await picture(page, `function binding ${view}`);
	const kept = (await api(page, all, 'GET', `/functions/${id}`)).settings;
	expect(kept.prepared).equals(1);
	expect(kept.bindings[0].local_port).equals(15432);

	// A private address needs an administrator's leave, and the log says so.
	await ask(page);
	await page.getByText('The body is empty.').waitFor({ timeout: LATE });
	await part(page, 'Logs');
	await page
		.getByRole('log', { name: 'Logs' })
		.getByText(`127.0.0.1:${port}`)
		.first()
		.waitFor({ timeout: LATE });
	await picture(page, `function binding refused ${view}`);
	const allowance = { authority: `127.0.0.1:${port}` };
	const { id: allowed } = await api(page, all, 'POST', '/egress/allowances', allowance);
	await ask(page);
	await page.getByText('three orders').first().waitFor({ timeout: LATE });
	await picture(page, `function binding answers ${view}`);
	await api(page, all, 'DELETE', `/egress/allowances/${allowed}`);
	await api(page, all, 'DELETE', `/functions/${id}`);
	service.close();
};

const timers = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const name = `punctual-${view.slice(0, 3)}`.replace(/\W+$/, '');
	const id = await made(page, all, name, answering("'on time'"));
	await tab(page, 'Settings').click();
	await page.getByText('Timers call an alias, so a version comes first.').waitFor();
	await api(page, all, 'POST', `/functions/${id}/versions`, {});
	await page.reload();
	await tab(page, 'Settings').click();
	await page.getByRole('button', { name: 'Add timer' }).click();
	const dialog = page.getByRole('dialog', { name: 'Add timer' });
	const field = (label) => dialog.getByRole('textbox', { name: label });
	await field('Times').fill('every morning');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await dialog.getByText('Five fields are needed').waitFor();
	await field('Times').fill('0 6 * * *');
	await field('Time zone').fill('Mars/Olympus');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await dialog.getByText('There is no such time zone').waitFor();
	await accessible(page, `a timer with faults, ${view}`);
	await picture(page, `function timer ${view}`);
	await field('Time zone').fill('Europe/Berlin');
	await field('Path that is called').fill('/morning');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await dialog.waitFor({ state: 'hidden' });
	const row = page.getByRole('listitem').filter({ hasText: 'Europe/Berlin' });
	await row.getByText('/morning').waitFor();
	await row.getByText('next').waitFor();
	await accessible(page, `a timer, ${view}`);
	await picture(page, `function timers ${view}`);

	await row.getByRole('switch', { name: 'Timer 0 6 * * *' }).click();
	await row.getByText('next').waitFor({ state: 'hidden' });
	await row.getByRole('button', { name: 'Edit timer' }).click();
	const edit = page.getByRole('dialog', { name: 'Edit timer' });
	await edit.getByRole('textbox', { name: 'Times' }).fill('0 7 * * mon');
	await edit.getByRole('button', { name: 'Save' }).click();
	await row.getByText('0 7 * * mon').waitFor();
	await row.getByRole('button', { name: 'Delete timer' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Delete timer' }).click();
	await row.waitFor({ state: 'detached' });
	expect((await api(page, all, 'GET', `/functions/${id}/timers`)).items.length).equals(0);
	await api(page, all, 'DELETE', `/functions/${id}`);
};

/** A package that says good morning, as pip installs it. */
const WHEEL = `
import sys, zipfile
version = sys.argv[2]
about = f"greeting-{version}.dist-info"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("greeting.py", "SAYS = 'good morning'")
    wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\\nName: greeting\\nVersion: {version}\\n")
    wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{about}/RECORD", f"greeting.py,,\\n{about}/METADATA,,\\n{about}/WHEEL,,\\n{about}/RECORD,,\\n")
`;

/** An index of packages where the server looks for them. */
function startIndex(port) {
	const folder = mkdtempSync(join(tmpdir(), 'stoa-e2e-index-'));
	const packages = join(folder, 'simple/greeting');
	mkdirSync(packages, { recursive: true });
	const add = (version) => {
		const wheel = join(packages, `greeting-${version}-py3-none-any.whl`);
		const written = spawnSync('python3', ['-c', WHEEL, wheel, version], { encoding: 'utf8' });
		if (written.status !== 0) throw new Error(written.stderr);
	};
	add('1.0');
	const index = spawn('python3', ['-m', 'http.server', String(port), '--bind', '127.0.0.1'], {
		cwd: folder,
		stdio: 'ignore'
	});
	const stop = () => {
		index.kill();
		rmSync(folder, { recursive: true, force: true });
	};
	return { add, stop };
}

const packages = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const name = `greeter-${view.slice(0, 3)}`.replace(/\W+$/, '');
	const id = await made(page, all, name, answering(`greeting.SAYS + ' from ${name}'`, 'import greeting'));
	const requires = async (text) => {
		const { revision } = await api(page, all, 'GET', `/functions/${id}`);
		const changes = [{ path: 'requirements.txt', text }];
		await api(page, all, 'PUT', `/functions/${id}/code`, { revision, changes });
		await page.reload();
	};
	const authority = `127.0.0.1:${all.stoa.indexPort}`;
	const { id: allowed } = await api(page, all, 'POST', '/egress/allowances', { authority });
	const index = startIndex(all.stoa.indexPort);
	try {
		// What one of them has installed, the other would find.
		const missing = view.startsWith('390') ? '3.0' : '2.0';
		await requires(`greeting==${missing}\n`);
		await ask(page);
		await page.getByText('Its dependencies could not be installed').first().waitFor({ timeout: LATE });
		await part(page, 'Logs');
		await page.getByLabel('What the installation said').getByText('No matching distribution').waitFor();
		// However often somebody calls, it is not tried again for a while. Whoever knows better may ask for it.
		await page.getByText(/^Calls do not try it again before/).waitFor();
		await accessible(page, `packages that are not there, ${view}`);
		await picture(page, `function packages failed ${view}`);
		index.add(missing);
		await page.getByRole('button', { name: 'Install again' }).click();
		await page.getByText('Packages are installed').waitFor({ timeout: LATE });

		await requires('greeting==1.0\n');
		await ask(page);
		await page.getByText('good morning').first().waitFor({ timeout: LATE });
		await part(page, 'Logs');
		const installed = page
			.getByLabel('What the installation said')
			.getByText('Successfully installed greeting-1.0');
		// It may be drawn anew meanwhile, and is closed then.
		await until('the log of the installation', LATE, async () => {
			if (await installed.isVisible()) return true;
			await page.getByText('Packages are installed').click();
			return installed.isVisible();
		});
		await accessible(page, `packages that are installed, ${view}`);
		await picture(page, `function packages ${view}`);
	} finally {
		index.stop();
	}
	await api(page, all, 'DELETE', `/egress/allowances/${allowed}`);
	await api(page, all, 'DELETE', `/functions/${id}`);
};

export const functionSurroundingsTests = ['1440 px, light', '390 px, dark'].flatMap((view) => [
	{ name: `a function is bound to a service, ${view}`, run: bindings(view) },
	{ name: `packages of a function are installed, ${view}`, run: packages(view) },
	...(view.startsWith('1440')
		? [{ name: `a function is called at its times, ${view}`, run: timers(view) }]
		: [])
]);
