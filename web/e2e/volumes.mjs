// A volume: made, mounted by two functions, written by one, read by the other, and seen, filled and emptied in the browser.
import { readFile } from 'node:fs/promises';
import { expect } from './expect.mjs';
import { until, views } from './harness.mjs';
import { accessible, api, enter, picture } from './page.mjs';

const LATE = 30_000;

/** The same screen in Chinese, and in the other light. */
function chinese(view) {
	const { colorScheme, ...screen } = views[view];
	return { ...screen, colorScheme: colorScheme === 'dark' ? 'light' : 'dark', locale: 'zh-CN' };
}

/** Writes or reads below /mnt, as its path says. */
const PROGRAM = `
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Files(BaseHTTPRequestHandler):
    def do_GET(self):
        what, path = unquote(self.path[1:]).split("/", 1)
        try:
            if what == "write":
                os.makedirs(os.path.dirname("/" + path), exist_ok=True)
                open("/" + path, "w").write("written by a function")
                body = "done"
            else:
                body = open("/" + path).read()
            status = 200
        except OSError as error:
            body, status = str(error), 418
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Files).serve_forever()
`;

async function made(page, all, name) {
	const { id, revision } = await api(page, all, 'POST', '/functions', { name, template: 'python-webhook' });
	const changes = [{ path: 'app.py', text: PROGRAM }];
	await api(page, all, 'PUT', `/functions/${id}/code`, { revision, changes });
	return id;
}

async function called(page, all, id, path) {
	const answer = await page.request.post(`${all.stoa.origin}/api/v1/functions/${id}/try`, {
		data: { target: 'latest', method: 'GET', path, headers: [] },
		headers: { origin: all.stoa.origin }
	});
	return [answer.status(), await answer.text()];
}

async function save(page) {
	await page.getByRole('button', { name: 'Save', exact: true }).first().click();
	await page.getByText('Settings saved').first().waitFor();
}

const walk = (view) => async (all) => {
	const page = await enter(all, views[view], '/functions');
	const narrow = view.startsWith('390');
	const name = narrow ? 'pocket' : 'shelf';
	const writer = await made(page, all, `${name}-writer`);
	const reader = await made(page, all, `${name}-reader`);

	// None yet, and the first one.
	await page.reload();
	await page.getByRole('link', { name: 'Volumes' }).click();
	await page.getByText('No volumes yet').waitFor();
	await accessible(page, `no volumes, ${view}`);
	await picture(page, `volumes none ${view}`);
	await page.getByRole('button', { name: 'New volume' }).last().click();
	const dialog = page.getByRole('dialog', { name: 'New volume' });
	await dialog.getByLabel('Name').fill('Not A Name');
	await dialog.getByLabel('Size in MiB').fill('12');
	await dialog.getByRole('button', { name: 'Create volume' }).click();
	await dialog.getByText('From 64 to 1,048,576.').waitFor();
	await accessible(page, `a new volume with faults, ${view}`);
	await dialog.getByLabel('Name').fill(name);
	await dialog.getByLabel('Size in MiB').fill('256');
	await dialog.getByLabel('Description').fill('What both of them know');
	await picture(page, `volume new ${view}`);
	await dialog.getByRole('button', { name: 'Create volume' }).click();
	await page.getByText('Nothing in here').waitFor();
	await accessible(page, `an empty volume, ${view}`);
	await picture(page, `volume empty ${view}`);

	// Mounted: by the writer, with a fault first, and by the reader, to be read only.
	await page.goto(`${all.stoa.origin}/functions/${writer}?tab=settings`);
	await page.getByRole('button', { name: 'Mount volume' }).click();
	const mount = page.getByRole('group', { name: `Volume ${name}` });
	await mount.getByLabel('Path in the function').fill('/etc/x');
	await page.getByRole('button', { name: 'Save', exact: true }).first().click();
	await mount.getByText(/A path such as/).waitFor();
	await accessible(page, `a volume at a wrong path, ${view}`);
	await mount.getByLabel('Path in the function').fill('/mnt/notes');
	await picture(page, `function volumes ${view}`);
	await save(page);
	await page.goto(`${all.stoa.origin}/functions/${reader}?tab=settings`);
	await page.getByRole('button', { name: 'Mount volume' }).click();
	await mount.getByRole('switch', { name: 'Read only' }).click();
	await save(page);
	const { settings } = await api(page, all, 'GET', `/functions/${reader}`);
	expect(JSON.stringify(settings.volumes)).equals(
		JSON.stringify([{ volume: name, path: `/mnt/${name}`, read_only: true }])
	);

	// Written by the one, read by the other, who cannot write.
	const [wrote] = await called(page, all, writer, '/write/mnt/notes/days/today.txt');
	expect(wrote).equals(200, 'the writer');
	const [read, text] = await called(page, all, reader, `/read/mnt/${name}/days/today.txt`);
	expect(`${read} ${text}`).equals('200 written by a function');
	const [refused] = await called(page, all, reader, `/write/mnt/${name}/days/mine.txt`);
	expect(refused).equals(418, 'the reader writes nothing');

	// Seen and downloaded in the browser.
	await page.goto(`${all.stoa.origin}/functions/volumes`);
	await page.getByRole('link', { name, exact: true }).waitFor();
	await page.getByText(`${name}-reader, ${name}-writer`).waitFor();
	await page.getByText('256 MB of 20 GB assigned').waitFor();
	await accessible(page, `volumes, ${view}`);
	await picture(page, `volumes ${view}`);
	await page.getByRole('link', { name, exact: true }).click();
	await page.getByRole('link', { name: 'days', exact: true }).click();
	const files = page.getByRole('table', { name: `Files in ${name}` });
	await files.getByText('today.txt').waitFor();
	await accessible(page, `a folder of a volume, ${view}`);
	const [download] = await Promise.all([
		page.waitForEvent('download'),
		files.getByRole('link', { name: 'Download today.txt' }).click()
	]);
	expect(download.suggestedFilename()).equals('today.txt');
	expect(await readFile(await download.path(), 'utf8')).equals('written by a function');

	// Uploaded, read by the function, and deleted.
	const chosen = page.locator('input[type=file]');
	await chosen.setInputFiles([
		{ name: 'from here.txt', mimeType: 'text/plain', buffer: Buffer.from('from the browser') },
		{ name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(3 * 1024 * 1024, 7) }
	]);
	await files.getByText('large.bin').waitFor({ timeout: LATE });
	await picture(page, `volume files ${view}`);
	const [, given] = await called(page, all, reader, `/read/mnt/${name}/days/from%20here.txt`);
	expect(given).equals('from the browser');
	const zh = await enter(all, chinese(view), `/functions/volumes?name=${name}`);
	await zh.getByText('由以下函数挂载').waitFor();
	await zh.getByRole('link', { name: 'days', exact: true }).waitFor();
	await accessible(zh, `a volume in Chinese, ${view}`);
	await picture(zh, `volume in Chinese ${view}`);
	await zh.goto(`${all.stoa.origin}/functions/${reader}?tab=settings`);
	await zh.getByRole('group', { name: `存储卷 ${name}` }).scrollIntoViewIfNeeded();
	await picture(zh, `function volumes in Chinese ${view}`);
	await zh.goto(`${all.stoa.origin}/functions/volumes`);
	await zh.getByRole('meter').waitFor();
	await picture(zh, `volumes in Chinese ${view}`);
	await zh.context().close();
	await files.getByRole('button', { name: 'Delete large.bin' }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await files.getByText('large.bin').waitFor({ state: 'detached' });

	// It stays while functions mount it, and says so.
	await page.getByRole('button', { name: `Delete ${name}`, exact: true }).click();
	await page
		.getByRole('alertdialog')
		.getByText(/Functions mount it/)
		.waitFor();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Delete volume' }).click();
	await page.getByRole('alertdialog').getByText('Functions mount this volume').waitFor();
	await accessible(page, `a volume that is mounted, ${view}`);
	await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
	for (const id of [writer, reader]) await api(page, all, 'DELETE', `/functions/${id}`);
	await page.reload();
	await page.getByText('No function mounts it.').waitFor();
	await page.getByRole('button', { name: `Edit ${name}` }).click();
	const edit = page.getByRole('dialog', { name: `Edit ${name}` });
	await edit.getByLabel('Size in MiB').fill('20481');
	await edit.getByRole('button', { name: 'Save' }).click();
	await edit.getByText('Your volumes would be too large together').waitFor();
	await accessible(page, `a volume that is too large, ${view}`);
	await edit.getByLabel('Size in MiB').fill('64');
	await edit.getByRole('button', { name: 'Save' }).click();
	await page.getByText(/of 64 MB/).waitFor();
	await page.getByRole('button', { name: `Delete ${name}`, exact: true }).click();
	await page.getByRole('alertdialog').getByRole('button', { name: 'Delete volume' }).click();
	await page.getByText('No volumes yet').waitFor();
	await until('the volume to be gone', LATE, async () => {
		const { items } = await api(page, all, 'GET', '/function-volumes');
		return items.length === 0;
	});
};

export const volumeTests = ['1440 px, light', '390 px, dark'].map((view) => ({
	name: `a volume that two functions share, ${view}`,
	run: walk(view)
}));
