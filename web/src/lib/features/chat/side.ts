// What stands beside a conversation: one of its threads, or the list of them. The address says which, so that it is there again
// after a reload. It comes when it is first needed.
import { goto } from '$app/navigation';
import { call, client, type Message } from '$lib/api';
import type { ConversationEvent } from '$lib/features/stream';
import type { Thread } from './thread.svelte';
import { makeThread } from './threads.svelte';

/** Opens a thread, the list of them, or a thread that is to begin at a message. */
export type Beside = { thread: string } | { about: string };

export const ALL = 'all';

export function addressOf(beside: Beside | null): string {
	return beside ? `${location.pathname}?${new URLSearchParams({ ...beside })}` : location.pathname;
}

/** Opens what stands beside the conversation, or closes it. */
export function open(beside: Beside | null, replaceState = false): Promise<void> {
	return goto(addressOf(beside), { noScroll: true, keepFocus: true, replaceState });
}

/** A thread that is to begin at a message, as its conversation is now. */
export function begin(parent: Thread, message: string): Thread {
	const thread = makeThread(null, parent.assistantId);
	thread.origin = { message, withContext: true };
	const { role, parameters, model } = parent.settings;
	thread.settings.begin({ role, parameters, model });
	thread.loaded = true;
	return thread;
}

/** The message that a thread begins at, wherever in its conversation it is. */
export async function source(parent: Thread, message: string): Promise<Message | null> {
	const known = parent.messages.find(({ id }) => id === message);
	if (known || !parent.id) return known ?? null;
	const path = { id: parent.id };
	const query = { around: message, limit: 1 };
	const page = await call(client.GET('/api/v1/conversations/{id}/messages', { params: { path, query } }));
	return page.items.find(({ id }) => id === message) ?? null;
}

/** Shows at its message how a thread is now. */
export function take(parent: Thread, event: ConversationEvent): void {
	const { id } = event.conversation;
	if (event.kind === 'deleted') {
		parent.messages = parent.messages.map((message) => {
			const threads = message.threads.filter((thread) => thread.id !== id);
			return threads.length < message.threads.length ? { ...message, threads } : message;
		});
		return;
	}
	const { title, generating, unread, thread } = event.conversation;
	if (!thread) return;
	const now = { id, title, generating, unread, messages: thread.messages };
	parent.messages = parent.messages.map((message) => {
		if (message.id !== thread.message_id) return message;
		const known = message.threads.some((one) => one.id === id);
		const threads = known
			? message.threads.map((one) => (one.id === id ? now : one))
			: [...message.threads, now];
		return { ...message, threads };
	});
}
