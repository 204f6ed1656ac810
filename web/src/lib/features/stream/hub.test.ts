import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Outcome } from './generation.svelte';

interface Body {
	subscribe?: string[];
	unsubscribe?: string[];
	after?: Record<string, number>;
}

const posts: Body[] = [];
const unknown = new Set<string>();
let gone = '';
/** A request for subscriptions on this stream is never answered. */
let silent = '';
let write: (name: string, data: object) => void = () => undefined;
let cut: () => void = () => undefined;
let streams = 0;

function answer(request: Request): Promise<Response> | Response {
	if (request.url.endsWith('/api/v1/events')) {
		const encoder = new TextEncoder();
		const body = new ReadableStream<Uint8Array>({
			start(controller) {
				write = (name, data) =>
					controller.enqueue(encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
				cut = () => controller.close();
				write('stream', { id: `stream-${++streams}` });
			}
		});
		return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
	}
	return request.json().then((body: Body) => {
		posts.push(body);
		if (silent !== '' && request.url.includes(`/${silent}/`)) {
			return new Promise((_, reject) =>
				request.signal.addEventListener('abort', () => reject(request.signal.reason as Error))
			);
		}
		if (gone !== '' && request.url.includes(`/${gone}/`)) {
			return Response.json({ code: 'stream_gone', status: 404 }, { status: 404 });
		}
		const refused = body.subscribe?.some((id) => unknown.has(id));
		return refused
			? Response.json({ code: 'not_found', status: 404 }, { status: 404 })
			: new Response(null, { status: 204 });
	});
}

describe('the one stream of a tab', () => {
	let stop: () => void = () => undefined;
	let hub: typeof import('./hub.svelte').hub;

	beforeEach(async () => {
		posts.length = 0;
		unknown.clear();
		gone = '';
		silent = '';
		vi.useFakeTimers();
		vi.stubGlobal('fetch', (input: Request) => Promise.resolve(answer(input)));
		vi.stubGlobal(
			'Request',
			class extends Request {
				constructor(input: RequestInfo | URL, init?: RequestInit) {
					super(typeof input === 'string' ? new URL(input, 'http://stoa.test') : input, init);
				}
			}
		);
		vi.resetModules();
		({ hub } = await import('./hub.svelte'));
		stop = hub.start();
		await settle();
	});
	afterEach(() => {
		stop();
		vi.useRealTimers();
		vi.unstubAllGlobals();
	});

	const settle = (ms = 300) => vi.advanceTimersByTimeAsync(ms);
	const follow = (id: string) => {
		const outcomes: Outcome[] = [];
		return { ...hub.follow(id, (outcome) => outcomes.push(outcome)), outcomes };
	};
	const delta = (id: string, seq: number, text: string, first?: number) =>
		write('delta', { generation_id: id, seq, first, part: 'text', text });

	it('asks for all that is followed in one request, and shows it once a frame', async () => {
		const one = follow('one');
		const two = follow('two');
		await settle();
		expect(posts).toEqual([{ subscribe: ['one', 'two'], after: {} }]);
		delta('one', 1, 'a');
		delta('one', 2, 'b');
		delta('two', 1, 'z');
		await settle();
		expect(one.generation.parts[0]?.text).toBe('ab');
		expect(two.generation.parts[0]?.text).toBe('z');
	});

	it('tells how many are before it, until its text comes', async () => {
		const { generation } = follow('one');
		await settle();
		for (const ahead of [2, 1]) {
			write('queued', { generation_id: 'one', ahead });
			await settle();
			expect(generation.ahead).toBe(ahead);
		}
		delta('one', 1, 'a');
		await settle();
		expect(generation.ahead).toBeNull();
	});

	it('shares a generation between two views, and lets it go with the last', async () => {
		const first = follow('one');
		const second = follow('one');
		expect(second.generation).toBe(first.generation);
		await settle();
		first.leave();
		await settle();
		expect(posts).toHaveLength(1);
		second.leave();
		await settle();
		expect(posts.at(-1)).toEqual({ unsubscribe: ['one'] });
	});

	it('goes on after the last token it has when the stream is lost and back', async () => {
		const missed = vi.fn();
		hub.onMissed(missed);
		const { generation } = follow('one');
		await settle();
		delta('one', 1, 'a');
		delta('one', 2, 'b');
		await settle();
		cut();
		await settle(2_000);
		expect(posts.at(-1)).toEqual({ subscribe: ['one'], after: { one: 2 } });
		expect(missed).toHaveBeenCalledOnce();
		delta('one', 2, 'b');
		delta('one', 3, 'c');
		await settle();
		expect(generation.parts[0]?.text).toBe('abc');
	});

	it('asks once for what is missing when tokens were lost on the way', async () => {
		const { generation } = follow('one');
		await settle();
		delta('one', 1, 'a');
		delta('one', 4, 'd');
		delta('one', 5, 'e');
		await settle();
		expect(posts.slice(1)).toEqual([{ unsubscribe: ['one'] }, { subscribe: ['one'], after: { one: 1 } }]);
		delta('one', 5, 'bcde', 2);
		await settle();
		expect(generation.parts[0]?.text).toBe('abcde');
		expect(posts).toHaveLength(3);
	});

	it('tells the end once, with the text before it', async () => {
		const { generation, outcomes } = follow('one');
		await settle();
		delta('one', 1, 'a');
		write('usage', {
			generation_id: 'one',
			prompt_tokens: 5,
			completion_tokens: 1,
			cached_tokens: 0,
			reasoning_tokens: 0
		});
		write('finish', { generation_id: 'one', reason: 'stop', message: null });
		write('finish', { generation_id: 'one', reason: 'stop', message: null });
		await settle();
		expect(outcomes).toEqual([{ kind: 'finished', reason: 'stop', message: null }]);
		expect(generation.parts[0]?.text).toBe('a');
		expect(generation.usage?.prompt_tokens).toBe(5);
	});

	it('lets only the unknown generation go when the server refuses a request', async () => {
		unknown.add('gone');
		const gone = follow('gone');
		const here = follow('here');
		await settle();
		expect(gone.outcomes).toEqual([{ kind: 'gone' }]);
		expect(here.outcomes).toEqual([]);
		delta('here', 1, 'a');
		await settle();
		expect(here.generation.parts[0]?.text).toBe('a');
	});

	it('opens another stream when the server holds this one no more', async () => {
		gone = `stream-${streams}`;
		const { generation, outcomes } = follow('one');
		await settle(2_000);
		expect(outcomes).toEqual([]);
		expect(posts.at(-1)).toEqual({ subscribe: ['one'], after: {} });
		expect(`stream-${streams}`).not.toBe(gone);
		delta('one', 1, 'a');
		await settle();
		expect(generation.parts[0]?.text).toBe('a');
	});

	it('does not wait on the new stream for an answer that the old one owes', async () => {
		silent = `stream-${streams}`;
		const { generation, outcomes } = follow('one');
		await settle();
		expect(posts).toHaveLength(1);
		cut();
		await settle(2_000);
		expect(posts).toHaveLength(2);
		expect(outcomes).toEqual([]);
		delta('one', 1, 'a');
		await settle();
		expect(generation.parts[0]?.text).toBe('a');
	});

	it('tells changes of the list, and when to read it again', async () => {
		const changes = vi.fn();
		const missed = vi.fn();
		hub.onConversation(changes);
		hub.onMissed(missed);
		write('conversation', { kind: 'deleted', conversation: { id: 'c' } });
		write('resync', {});
		await settle();
		expect(changes).toHaveBeenCalledWith({ kind: 'deleted', conversation: { id: 'c' } });
		expect(missed).toHaveBeenCalledOnce();
	});
});
