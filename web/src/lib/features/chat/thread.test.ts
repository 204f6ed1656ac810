import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Conversation, Message } from '$lib/api';
import type { ConversationEvent, LiveGeneration, Outcome } from '$lib/features/stream';

type Ended = (outcome: Outcome, generation: LiveGeneration) => void;

// The one stream, as far as a thread uses it.
const followed = new Map<string, Ended>();
let tellConversation: (event: ConversationEvent) => void = () => undefined;
vi.mock('$lib/features/stream', () => ({
	hub: {
		follow: (id: string, ended: Ended) => {
			followed.set(id, ended);
			return { generation: { id, parts: [] }, leave: () => followed.delete(id) };
		},
		onConversation: (handler: (event: ConversationEvent) => void) => {
			tellConversation = handler;
			return () => undefined;
		},
		onMissed: () => () => undefined
	}
}));

const message = (id: string, parent: string | null, role: Message['role'], text: string): Message => ({
	id,
	conversation_id: 'c',
	parent_id: parent,
	role,
	parts: text ? [{ type: 'text', text }] : [],
	status: 'complete',
	model: null,
	stand_in: null,
	parameters: null,
	generation_id: null,
	usage: null,
	timings: null,
	error: null,
	finish_reason: null,
	translation: null,
	summary: null,
	siblings: [id],
	created_at: '2026-01-01T00:00:00Z'
});

const conversation: Conversation = {
	id: 'c',
	title: '',
	pinned: false,
	model: null,
	parameters: {},
	role: '',
	assistant_id: null,
	project_id: null,
	archived: false,
	tags: [],
	leaf_id: 'a1',
	generating: false,
	unread: false,
	temporary_until: null,
	auto_summary: true,
	summarised_at: null,
	created_at: '2026-01-01T00:00:00Z',
	updated_at: '2026-01-01T00:00:00Z'
};

let kept: Message[] = [];
let refuse = false;
/** Holds answers up that were made before. */
let held: Promise<void> | null = null;
const asked: [string, string, unknown][] = [];

async function answer(request: Request): Promise<Response> {
	const path = new URL(request.url).pathname.replace('/api/v1', '');
	const body: unknown = request.method === 'GET' ? null : await request.json().catch(() => null);
	asked.push([request.method, path, body]);
	if (request.method === 'GET' && path.endsWith('/messages')) {
		const response = Response.json({
			items: kept,
			leaf_id: kept.at(-1)?.id ?? null,
			has_more: false,
			has_newer: false
		});
		await held;
		return response;
	}
	if (request.method !== 'GET' && refuse) return Response.json({ code: 'model_busy' }, { status: 503 });
	if (/\/(messages|regenerate|continue)$/.test(path)) {
		return Response.json({ message_id: 'u2', reply_id: 'a2', generation_id: 'g' }, { status: 202 });
	}
	return Response.json(conversation);
}

describe('a thread', () => {
	let Thread: typeof import('./thread.svelte').Thread;
	let edit: typeof import('./turns').edit;
	let regenerate: typeof import('./turns').regenerate;
	const settle = () => new Promise((done) => setTimeout(done, 20));
	const ids = (thread: InstanceType<typeof Thread>) => thread.messages.map(({ id }) => id);
	const posted = () => asked.filter(([method]) => method === 'POST').map(([, path, body]) => [path, body]);

	beforeEach(async () => {
		asked.length = 0;
		followed.clear();
		refuse = false;
		held = null;
		kept = [message('u1', null, 'user', 'Hello'), message('a1', 'u1', 'assistant', 'Hi')];
		vi.stubGlobal('fetch', (input: Request) => answer(input));
		vi.stubGlobal(
			'Request',
			class extends Request {
				constructor(input: RequestInfo | URL, init?: RequestInit) {
					super(typeof input === 'string' ? new URL(input, 'http://stoa.test') : input, init);
				}
			}
		);
		({ Thread } = await import('./thread.svelte'));
		({ edit, regenerate } = await import('./turns'));
	});
	afterEach(() => void vi.unstubAllGlobals());

	async function opened() {
		const thread = new Thread('c');
		const leave = thread.enter();
		await settle();
		return { thread, leave };
	}

	it('keeps the place of a reader far above, and goes to the end to send', async () => {
		const { thread } = await opened();
		thread.messages = [message('u0', null, 'user', 'Long ago')];
		thread.end = 'a1';
		await thread.read();
		expect(ids(thread)).toEqual(['u0']);
		tellConversation({
			kind: 'updated',
			conversation: { ...conversation, pinned: true }
		} as ConversationEvent);
		await settle();
		expect(ids(thread)).toEqual(['u0']);
		await thread.send('More', 'm/x');
		expect(ids(thread)).toEqual(['u1', 'a1', 'u2', 'a2']);
		expect(posted()[0]?.[1]).toMatchObject({ parent_id: 'a1' });
	});

	it('sends after the last message, and shows it before the server has answered', async () => {
		const { thread } = await opened();
		const sending = thread.send('More', 'm/x');
		await Promise.resolve();
		expect(thread.messages.at(-1)?.parts).toEqual([{ type: 'text', text: 'More' }]);
		expect(thread.running).toBe(true);
		await sending;
		expect(ids(thread)).toEqual(['u1', 'a1', 'u2', 'a2']);
		expect(posted()).toEqual([
			[
				'/conversations/c/messages',
				{ parent_id: 'a1', parts: [{ type: 'text', text: 'More' }], model: 'm/x', parameters: {} }
			]
		]);
		expect([...followed.keys()]).toEqual(['g']);
	});

	it('does not go back to what was read before a turn', async () => {
		const { thread } = await opened();
		let release: () => void = () => undefined;
		held = new Promise((done) => (release = done));
		const reading = thread.read();
		await thread.send('More', 'm/x');
		kept = [...kept, message('u2', 'a1', 'user', 'More'), message('a2', 'u2', 'assistant', 'Done')];
		held = null;
		release();
		await reading;
		expect(ids(thread)).toEqual(['u1', 'a1', 'u2', 'a2']);
		await settle();
		expect(thread.messages.at(-1)?.parts).toEqual([{ type: 'text', text: 'Done' }]);
	});

	it('does not go back to what was read while a turn was being posted', async () => {
		const { thread } = await opened();
		let release: () => void = () => undefined;
		held = new Promise((done) => (release = done));
		const sending = thread.send('More', 'm/x');
		const reading = thread.read();
		await sending;
		kept = [...kept, message('u2', 'a1', 'user', 'More'), message('a2', 'u2', 'assistant', 'Done')];
		held = null;
		release();
		await reading;
		expect(ids(thread)).toEqual(['u1', 'a1', 'u2', 'a2']);
		await settle();
		expect(thread.messages.at(-1)?.parts).toEqual([{ type: 'text', text: 'Done' }]);
	});

	it('shows what was there when a turn was refused before it had been read', async () => {
		const thread = new Thread('c');
		refuse = true;
		thread.enter();
		await expect(thread.send('More', 'm/x')).rejects.toMatchObject({ code: 'model_busy' });
		await settle();
		expect(thread.loaded).toBe(true);
		expect(ids(thread)).toEqual(['u1', 'a1']);
	});

	it('takes the message back when the server refuses it', async () => {
		const { thread } = await opened();
		refuse = true;
		await expect(thread.send('More', 'm/x')).rejects.toMatchObject({ code: 'model_busy' });
		expect(ids(thread)).toEqual(['u1', 'a1']);
		expect(thread.running).toBe(false);
	});

	it('edits the first message as a new root beside it', async () => {
		const { thread } = await opened();
		await edit(thread, thread.messages[0] as Message, 'Good day', 'm/x');
		expect(posted()[0]?.[1]).toMatchObject({ parent_id: null });
		expect(ids(thread)).toEqual(['u2', 'a2']);
		expect(thread.messages[0]?.siblings).toEqual(['u1', 'u2']);
	});

	it('answers again beside the answer', async () => {
		const { thread } = await opened();
		await regenerate(thread, thread.messages[1] as Message, 'm/y');
		expect(posted()[0]).toEqual(['/messages/a1/regenerate', { model: 'm/y', parameters: {} }]);
		expect(ids(thread)).toEqual(['u1', 'a2']);
		expect(thread.messages[1]?.siblings).toEqual(['a1', 'a2']);
	});

	it('shows the message as it was kept when the answer ends', async () => {
		const { thread } = await opened();
		await thread.send('More', 'm/x');
		const done = { ...message('a2', 'u2', 'assistant', 'Done'), generation_id: 'g' };
		followed.get('g')?.({ kind: 'finished', reason: 'stop', message: done }, {} as LiveGeneration);
		expect(thread.messages.at(-1)).toEqual(done);
		expect(thread.running).toBe(false);
		expect(thread.live.size).toBe(0);
	});

	it('reads the messages when the end came without one', async () => {
		const { thread } = await opened();
		await thread.send('More', 'm/x');
		kept = [...kept, message('u2', 'a1', 'user', 'More'), message('a2', 'u2', 'assistant', 'Read')];
		followed.get('g')?.({ kind: 'gone' }, {} as LiveGeneration);
		await settle();
		expect(thread.messages.at(-1)?.parts).toEqual([{ type: 'text', text: 'Read' }]);
		expect(thread.live.size).toBe(0);
	});

	it('follows an answer that was already growing, and lets it go with the page', async () => {
		kept = [...kept, { ...message('a9', 'u1', 'assistant', ''), status: 'running', generation_id: 'g9' }];
		const { leave } = await opened();
		expect([...followed.keys()]).toEqual(['g9']);
		leave();
		expect(followed.size).toBe(0);
	});

	it('reads again when another tab has gone on', async () => {
		const { thread } = await opened();
		kept = [...kept, message('u5', 'a1', 'user', 'From elsewhere')];
		tellConversation({ kind: 'updated', conversation: { ...conversation, leaf_id: 'u5' } });
		await settle();
		expect(ids(thread)).toEqual(['u1', 'a1', 'u5']);
		const before = asked.length;
		tellConversation({
			kind: 'updated',
			conversation: { ...conversation, leaf_id: 'u5', title: 'New title' }
		});
		await settle();
		expect(asked.length).toBe(before);
	});
});
