// What is done with the messages of a thread beside saying something new. It comes when it is first needed.
import { call, client, Problem, type Message } from '$lib/api';
import { conversations } from '$lib/features/conversations';
import { getLocale, m } from '$lib/i18n';
import { problemWords, toasts } from '$lib/ui';
import { userMessage } from './made';
import { picturesOf } from './parts';
import { callFor, type Thread } from './thread.svelte';

/** Sends another wording of a message, with its pictures: a branch beside it. */
export async function edit(thread: Thread, message: Message, text: string, model: string): Promise<void> {
	await thread.turn(async () => {
		const { conversation_id, parent_id } = message;
		const mine = userMessage('', conversation_id, parent_id, text, picturesOf(message.parts));
		const turn = await thread.post(conversation_id, parent_id, mine, model, thread.settings.parameters);
		mine.id = turn.message_id;
		mine.siblings = [...message.siblings, turn.message_id];
		thread.show([...thread.upTo(message.id), mine], turn, model);
	});
}

/** Asks for another answer beside this one, of the same model or another. */
export async function regenerate(thread: Thread, message: Message, model: string): Promise<void> {
	await thread.turn(async () => {
		const body = { model, parameters: thread.settings.parameters };
		const path = { id: message.id };
		const turn = await call(client.POST('/api/v1/messages/{id}/regenerate', { params: { path }, body }));
		thread.show(thread.upTo(message.id), turn, model, [...message.siblings, turn.reply_id]);
	});
}

/** Lets an answer that ended early go on. */
export async function proceed(thread: Thread, message: Message): Promise<void> {
	await thread.turn(async () => {
		const path = { id: message.id };
		const turn = await call(client.POST('/api/v1/messages/{id}/continue', { params: { path }, body: {} }));
		const running = {
			...message,
			status: 'running' as const,
			error: null,
			finish_reason: null,
			generation_id: turn.generation_id
		};
		callFor(turn);
		thread.messages = [...thread.upTo(message.id), running];
		thread.follow(running);
	});
}

/** Shows another branch: the newest end below this message. */
export async function showBranch(thread: Thread, message: string): Promise<void> {
	if (!thread.id) return;
	const changed = await conversations.change(thread.id, { leaf_id: message });
	await thread.read();
	thread.settings.take(changed);
}

/** Takes out a message, a question with its answers, here and on the server. */
async function takeOut(thread: Thread, message: Message): Promise<void> {
	await call(client.DELETE('/api/v1/messages/{id}', { params: { path: { id: message.id } } }));
	const gone = (other: Message) =>
		other.id === message.id ||
		(message.role === 'user' && other.role === 'assistant' && other.parent_id === message.id);
	// The message itself may have left the page already, when another answer took its place.
	const ids = [message.id, ...thread.messages.filter(gone).map(({ id }) => id)];
	for (const id of ids) thread.takenOut.add(id);
	thread.messages = thread.messages
		.filter((other) => !gone(other))
		.map((other) => ({ ...other, siblings: other.siblings.filter((id) => !thread.takenOut.has(id)) }));
}

/** Puts messages back, the last that went first. */
async function putBack(thread: Thread, ids: readonly string[]): Promise<void> {
	for (const id of ids.toReversed()) {
		await call(client.POST('/api/v1/messages/{id}/restore', { params: { path: { id } } }));
	}
	thread.takenOut.clear();
	await thread.readAnew();
}

function failed(caught: unknown): void {
	const { title, detail } = problemWords(Problem.from(caught));
	toasts.show(detail ? `${title}. ${detail}` : title, { tone: 'bad' });
}

function offerUndo(thread: Thread, ids: readonly string[]): void {
	if (ids.length === 0) return;
	toasts.show(m.messages_removed({ count: ids.length }), {
		action: { label: m.undo(), run: () => putBack(thread, ids).catch(failed) }
	});
}

/** Takes messages out of their branch. For some seconds they can be put back. */
export async function remove(thread: Thread, messages: readonly Message[]): Promise<void> {
	const gone: string[] = [];
	const chosen = new Set(messages.map(({ id }) => id));
	try {
		for (const message of messages) {
			// A question takes its answers along.
			const along = message.role === 'assistant' && message.parent_id && chosen.has(message.parent_id);
			if (along) continue;
			await takeOut(thread, message);
			gone.push(message.id);
		}
	} finally {
		offerUndo(thread, gone);
		await thread.read();
	}
}

/** Asks for another answer in the place of this one. */
export async function replace(thread: Thread, message: Message, model: string): Promise<void> {
	await regenerate(thread, message, model);
	await takeOut(thread, message);
	offerUndo(thread, [message.id]);
}

/** Has a message translated into the language of the page. */
export async function translate(thread: Thread, message: Message, model: string | null): Promise<void> {
	const path = { id: message.id };
	const body = { language: getLocale(), model };
	const { translation } = await call(
		client.POST('/api/v1/messages/{id}/translation', { params: { path }, body })
	);
	put(thread, message.id, { translation });
}

export async function forgetTranslation(thread: Thread, message: Message): Promise<void> {
	const path = { id: message.id };
	await call(client.DELETE('/api/v1/messages/{id}/translation', { params: { path } }));
	put(thread, message.id, { translation: null });
}

/** Has everything summed up to this answer: models get the summary in its place. */
export async function sumUp(thread: Thread, answer: string, model: string | null): Promise<void> {
	const path = { id: answer };
	const { summary } = await call(
		client.POST('/api/v1/messages/{id}/summary', { params: { path }, body: { model } })
	);
	put(thread, answer, { summary });
}

/** Models get the messages themselves again, and nothing more is summed up by itself here. */
export async function forgetSummary(thread: Thread, message: Message): Promise<void> {
	const path = { id: message.id };
	await call(client.DELETE('/api/v1/messages/{id}/summary', { params: { path } }));
	put(thread, message.id, { summary: null });
	toasts.show(m.summary_undone());
}

function put(thread: Thread, id: string, change: Partial<Message>): void {
	thread.messages = thread.messages.map((message) =>
		message.id === id ? { ...message, ...change } : message
	);
}
