import { beforeEach, describe, expect, it, vi } from 'vitest';
import { kept } from './kept';
import { Queue, type Queued } from './queue.svelte';

const texts = (queue: Queue) => queue.items.map(({ text }) => text);

describe('what waits to be sent', () => {
	const sent: string[] = [];
	const send = async ({ text }: Queued) => void sent.push(text);

	beforeEach(() => {
		localStorage.clear();
		sent.length = 0;
		vi.useRealTimers();
	});

	it('goes one by one, in order, only when the answer before has ended well', async () => {
		const queue = new Queue('c');
		queue.add('first', [], 'm/x');
		queue.add('second', [], 'm/x');
		await queue.pump('busy', send);
		await queue.pump('badly', send);
		expect(sent).toEqual([]);
		await queue.pump('well', send);
		expect([sent, texts(queue)]).toEqual([['first'], ['second']]);
		await queue.pump('well', send);
		expect([sent, texts(queue), kept.read('c')]).toEqual([['first', 'second'], [], null]);
	});

	it('is there after a reload, changed and thinned out as it was', () => {
		const queue = new Queue('c');
		for (const text of ['a', 'b', 'c']) queue.add(text, [], 'm/x');
		queue.change(queue.items[1]?.id ?? '', 'B');
		queue.remove(queue.items[0]?.id ?? '');
		expect(texts(new Queue('c'))).toEqual(['B', 'c']);
		expect(texts(new Queue('other'))).toEqual([]);
	});

	it('goes at once, before the others and after an answer that was stopped, if that is wanted', async () => {
		const queue = new Queue('c');
		for (const text of ['a', 'b']) queue.add(text, [], 'm/x');
		queue.now(queue.items[1]?.id ?? '');
		await queue.pump('busy', send);
		expect(sent).toEqual([]);
		await queue.pump('badly', send);
		await queue.pump('badly', send);
		expect([sent, texts(queue)]).toEqual([['b'], ['a']]);
	});

	it('stays when it cannot be sent, and waits for its writer', async () => {
		const queue = new Queue('c');
		queue.add('a', [], 'm/x');
		const fail = vi.fn(async () => {
			throw new Error('gone');
		});
		await queue.pump('well', fail);
		await queue.pump('well', fail);
		expect(fail).toHaveBeenCalledOnce();
		expect(queue.items[0]).toMatchObject({ text: 'a', problem: { code: expect.any(String) as string } });
		queue.now(queue.items[0]?.id ?? '');
		await queue.pump('well', send);
		expect([sent, queue.items]).toEqual([['a'], []]);
	});

	it('is sent by one page only', async () => {
		const [one, other] = [new Queue('c'), new Queue('c')];
		one.add('a', [], 'm/x');
		// What the other page writes while this one is sending is what counts.
		const written = one.pump('well', send);
		kept.write('c', JSON.stringify([{ ...one.items[0], sending: 'another' }]));
		await written;
		other.refresh();
		await other.pump('well', send);
		expect(sent).toEqual([]);
	});

	it('is not sent twice by a page that was closed while it sent', async () => {
		vi.useFakeTimers();
		kept.write('c', JSON.stringify([{ id: 'x', text: 'a', pictures: [], model: 'm/x', sending: 'gone' }]));
		const queue = new Queue('c');
		await queue.pump('well', send);
		await vi.advanceTimersByTimeAsync(20_000);
		await queue.pump('well', send);
		expect(sent).toEqual([]);
		expect(queue.items[0]).toMatchObject({ problem: { code: 'unsure' } });
	});

	it('survives whatever is in the storage', () => {
		for (const rubbish of ['{', '7', 'null']) {
			kept.write('c', rubbish);
			expect(new Queue('c').items).toEqual([]);
		}
	});
});
