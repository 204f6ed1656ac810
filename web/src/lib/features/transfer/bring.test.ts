import { afterEach, expect, it, vi } from 'vitest';
import type { ImportReport } from '$lib/api';
import { bring } from './bring';
import { filesIn, isZip } from './zip';
import { send } from '$lib/api/send';

vi.mock('./zip', () => ({ filesIn: vi.fn(), isZip: vi.fn() }));
vi.mock('$lib/api/send', () => ({ send: vi.fn() }));

const none = {
	conversations: 0,
	messages: 0,
	projects: 0,
	assistant_folders: 0,
	assistants: 0,
	prompts: 0,
	pictures: 0
};
function report(made: number, left: ImportReport['left_out']): ImportReport {
	return { source: 'chatgpt', made: { ...none, messages: made }, known: none, left_out: left };
}

afterEach(() => vi.clearAllMocks());

it('sends what is wanted of a zip archive, piece by piece, and adds up what became of it', async () => {
	vi.mocked(isZip).mockResolvedValue(true);
	vi.mocked(filesIn).mockResolvedValue([new Blob(['aaa']), new Blob(['b'])]);
	const group = { what: 'picture', why: 'not_in_file', count: 1, names: ['x'] } as const;
	vi.mocked(send).mockImplementation((_path, body, { onprogress }) => {
		onprogress(1);
		return Promise.resolve(
			body.size === 3
				? report(2, [{ ...group, names: ['x'] }])
				: report(1, [{ ...group, count: 2, names: ['y'] }])
		);
	});
	const shares: number[] = [];
	const whole = await bring(new Blob(['zip']), (share) => shares.push(share), new AbortController().signal);
	expect(whole).toEqual(report(3, [{ ...group, count: 3, names: ['x', 'y'] }]));
	expect(shares).toEqual([0.75, 1]);
});

it('says when there is nothing to import in a zip archive', async () => {
	vi.mocked(isZip).mockResolvedValue(true);
	vi.mocked(filesIn).mockResolvedValue([]);
	await expect(bring(new Blob(['zip']), () => {}, new AbortController().signal)).rejects.toMatchObject({
		code: 'import_unknown'
	});
});
