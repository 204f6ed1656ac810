import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Problem } from '$lib/api';
import { readFile, readFunction, saveCode } from './api';
import { OpenFunction } from './open.svelte';
import type { FunctionDetails } from './types';
import { Workspace } from './workspace.svelte';

vi.mock('./api', () => ({
	readFile: vi.fn(),
	readFunction: vi.fn(),
	saveCode: vi.fn(),
	uploadArchive: vi.fn()
}));

const details = (revision: number, ...paths: string[]) =>
	({
		id: 'f',
		revision,
		settings: { command: ['python3', 'app.py'] },
		files: paths.map((path) => ({ path, bytes: 1, digest: path, executable: false, text: true }))
	}) as unknown as FunctionDetails;

const text = (path: string, said: string | null) => ({
	path,
	text: said,
	base64: said === null ? 'AA==' : null
});

async function opened() {
	const open = new OpenFunction('f');
	open.accept(details(1, 'app.py', 'lib/a.py', 'lib/b.py', 'logo.png'));
	const workspace = new Workspace(open);
	workspace.begin();
	await vi.waitFor(() => expect(workspace.buffer).not.toBeNull());
	return { open, workspace };
}

describe('the code in the browser', () => {
	beforeEach(() => {
		vi.mocked(readFile).mockImplementation((_id, path) =>
			Promise.resolve(text(path, path.endsWith('.png') ? null : `# ${path}`))
		);
	});

	it('keeps what was changed, and only that, as the next revision', async () => {
		const { open, workspace } = await opened();
		expect(workspace.path).toBe('app.py');
		expect(workspace.changed).toEqual([]);
		workspace.write('app.py', 'print()');
		await workspace.show('lib/a.py');
		expect(workspace.changed).toEqual(['app.py']);
		vi.mocked(saveCode).mockImplementation(() => {
			// Typing goes on while it is being kept.
			workspace.write('app.py', 'print(1)');
			return Promise.resolve(details(2, 'app.py'));
		});
		expect(await workspace.save()).toBe(true);
		expect(saveCode).toHaveBeenCalledWith('f', 1, [{ path: 'app.py', text: 'print()' }]);
		expect(open.details?.revision).toBe(2);
		expect(workspace.changed).toEqual(['app.py']);
	});

	it('asks what to do where somebody else was faster, and can overwrite or take theirs', async () => {
		const { workspace } = await opened();
		workspace.write('app.py', 'mine');
		vi.mocked(saveCode).mockRejectedValueOnce(new Problem({ code: 'function_changed' }, 409));
		expect(await workspace.save()).toBe(false);
		expect(workspace.conflict).toBe(true);
		expect(workspace.problem).toBeNull();
		vi.mocked(readFunction).mockResolvedValue(details(7, 'app.py'));
		vi.mocked(saveCode).mockResolvedValue(details(8, 'app.py'));
		await workspace.overwrite();
		expect(saveCode).toHaveBeenLastCalledWith('f', 7, [{ path: 'app.py', text: 'mine' }]);
		expect(workspace.conflict).toBe(false);
		expect(workspace.changed).toEqual([]);

		workspace.write('app.py', 'mine again');
		vi.mocked(readFunction).mockResolvedValue(details(9, 'app.py'));
		vi.mocked(readFile).mockResolvedValue(text('app.py', 'theirs'));
		await workspace.reload();
		await vi.waitFor(() => expect(workspace.buffer?.text).toBe('theirs'));
		expect(workspace.changed).toEqual([]);
	});

	it('moves and deletes all that lies in a folder', async () => {
		const { workspace } = await opened();
		await workspace.show('lib/a.py');
		workspace.write('lib/a.py', 'new');
		vi.mocked(saveCode).mockResolvedValue(details(2, 'app.py', 'src/a.py', 'src/b.py'));
		expect(await workspace.move('lib', 'src')).toBe(true);
		expect(saveCode).toHaveBeenLastCalledWith('f', 1, [
			{ path: 'lib/a.py', moved_to: 'src/a.py' },
			{ path: 'lib/b.py', moved_to: 'src/b.py' }
		]);
		expect([workspace.path, workspace.buffer?.text, workspace.changed]).toEqual([
			'src/a.py',
			'new',
			['src/a.py']
		]);
		vi.mocked(saveCode).mockResolvedValue(details(3, 'app.py'));
		expect(await workspace.remove('src')).toBe(true);
		expect([workspace.path, workspace.changed]).toEqual(['app.py', []]);
	});

	it('knows what is no text', async () => {
		const { workspace } = await opened();
		await workspace.show('logo.png');
		expect(workspace.buffer?.binary).toBe(true);
		expect(workspace.changed).toEqual([]);
	});
});
