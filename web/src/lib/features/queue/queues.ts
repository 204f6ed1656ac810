// The queues of all conversations, and what lets them go on when their conversation is not on the page.
import { call, client } from '$lib/api';
import { callFor, partsOf, sentParts } from '$lib/features/chat';
import { hub } from '$lib/features/stream';
import { kept } from './kept';
import { Queue, type Queued, type Ready } from './queue.svelte';

const queues = new Map<string, Queue>();
/** Conversations that are on the page, whose view sends. */
const attended = new Set<string>();
let watching = false;

export function queueOf(conversation: string): Queue {
	let queue = queues.get(conversation);
	if (!queue) queues.set(conversation, (queue = new Queue(conversation)));
	watch();
	return queue;
}

/** The view of a conversation sends what waits in it, until the returned function is called. */
export function attend(conversation: string): () => void {
	attended.add(conversation);
	return () => attended.delete(conversation);
}

async function post(conversation: string, item: Queued): Promise<void> {
	const body = { parts: sentParts(partsOf(item.text, item.pictures)), model: item.model };
	const path = { id: conversation };
	const { parameters } = await call(client.GET('/api/v1/conversations/{id}', { params: { path } }));
	const turn = await call(
		client.POST('/api/v1/conversations/{id}/messages', { params: { path }, body: { ...body, parameters } })
	);
	// A provider that only this browser reaches is called by it.
	callFor(turn);
}

async function goOn(conversation: string): Promise<void> {
	if (attended.has(conversation)) return;
	const queue = queueOf(conversation);
	if (queue.items.length === 0) return;
	const path = { id: conversation };
	const read = client.GET('/api/v1/conversations/{id}/messages', { params: { path, query: { limit: 1 } } });
	const { items } = await call(read);
	const status = items.at(-1)?.status ?? 'complete';
	const ready: Ready = status === 'running' ? 'busy' : status === 'complete' ? 'well' : 'badly';
	if (!attended.has(conversation)) await queue.pump(ready, (item) => post(conversation, item));
}

/** Lets what waits go on, in whichever conversation, as long as the page is open. */
export function watch(): void {
	if (watching) return;
	watching = true;
	// What cannot be asked now is asked again by the next event, or when the conversation is opened.
	const go = (conversation: string) => void goOn(conversation).catch(() => undefined);
	hub.onConversation((event) => {
		if (event.kind === 'deleted' || event.conversation.generating) return;
		if (kept.read(event.conversation.id) !== null) go(event.conversation.id);
	});
	addEventListener('storage', ({ key }) => {
		const conversation = kept.of(key);
		if (conversation) queues.get(conversation)?.refresh();
	});
	for (const conversation of kept.all()) go(conversation);
}
