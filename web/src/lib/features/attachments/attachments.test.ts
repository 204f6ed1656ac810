import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { client, Problem, type StoredFile } from '$lib/api';
import { attachmentsOf } from './attachments.svelte';

type Told = { onprogress: (share: number) => void; signal: AbortSignal };
interface Waiting extends Told {
	file: File;
	done: (file: StoredFile) => void;
	failed: (problem: Problem) => void;
}
const waiting: Waiting[] = [];
const deleted: string[] = [];
vi.mock('./upload', () => ({
	upload: (file: File, told: Told) =>
		new Promise<StoredFile>((done, failed) => waiting.push({ file, done, failed, ...told }))
}));

const stored = (id: string): StoredFile => ({
	id,
	name: `${id}.png`,
	media_type: 'image/png',
	bytes: 1,
	width: 4,
	height: 2,
	created_at: '2026-01-01T00:00:00Z'
});
const files = (count: number) => Array.from({ length: count }, (_, index) => new File(['x'], `${index}.png`));
const settle = () => new Promise((done) => setTimeout(done, 5));

describe('the pictures of a draft', () => {
	beforeEach(() => {
		waiting.length = 0;
		deleted.length = 0;
		vi.spyOn(client, 'DELETE').mockImplementation(((
			_path: string,
			{ params }: { params: { path: { id: string } } }
		) => {
			deleted.push(params.path.id);
			return Promise.resolve({ response: new Response(null, { status: 204 }) });
		}) as never);
		URL.createObjectURL = () => 'blob:x';
		URL.revokeObjectURL = () => undefined;
	});
	afterEach(() => vi.restoreAllMocks());

	it('are sent two at a time, and waited for', async () => {
		const own = attachmentsOf('0');
		own.add(files(3));
		expect([waiting.length, own.busy]).toEqual([2, true]);
		let ready = false;
		void own.settled().then(() => (ready = true));
		waiting[0]?.onprogress(0.5);
		expect(own.items[0]?.progress).toBe(0.5);
		waiting[0]?.done(stored('one'));
		await settle();
		expect([waiting.length, ready]).toEqual([3, false]);
		waiting[1]?.done(stored('two'));
		waiting[2]?.done(stored('three'));
		await settle();
		expect([ready, own.busy]).toEqual([true, false]);
		expect(own.take().map(({ id }) => id)).toEqual(['one', 'two', 'three']);
		expect(own.items).toEqual([]);
		expect(attachmentsOf('0')).toBe(own);
		expect(attachmentsOf('0b')).not.toBe(own);
	});

	it('can be sent again, and come back when their message was refused', async () => {
		const own = attachmentsOf('1');
		own.add(files(1));
		waiting[0]?.failed(Problem.unreachable());
		await settle();
		const [item] = own.items;
		expect([own.failed, own.busy, item?.problem?.code]).toEqual([true, false, 'unreachable']);
		if (item) own.retry(item);
		waiting[1]?.done(stored('one'));
		await settle();
		const taken = own.take();
		own.put(taken);
		expect(own.items.map(({ stored }) => stored?.id)).toEqual(['one']);
		expect(own.items[0]?.preview).toBe('/api/v1/files/one?size=small');
	});

	it('are taken out, on their way and after it', async () => {
		const own = attachmentsOf('2');
		own.add(files(2));
		const [first, second] = own.items;
		if (first) own.remove(first);
		expect([waiting[0]?.signal.aborted, deleted]).toEqual([true, []]);
		waiting[1]?.done(stored('two'));
		await settle();
		if (second) own.remove(second);
		await settle();
		expect(deleted).toEqual(['two']);
		// Its last byte had gone: it is removed when the server has it.
		waiting[0]?.done(stored('one'));
		await settle();
		expect(deleted).toEqual(['two', 'one']);
	});

	it('are eight at most, and none too large', () => {
		const own = attachmentsOf('3');
		own.add(files(6));
		own.add(files(6));
		expect([own.items.length, own.tooMany]).toEqual([8, true]);
		const other = attachmentsOf('3b');
		const large = new File(['x'], 'large.png');
		Object.defineProperty(large, 'size', { value: 21 * 1024 * 1024 });
		other.add([large]);
		expect([other.items[0]?.problem?.code, other.busy]).toEqual(['picture_too_large', false]);
	});
});
