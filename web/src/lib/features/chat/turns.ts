// What is done with the messages of a thread beside saying something new. It comes when it is first needed.
import { call, client, type Message } from '$lib/api';
import { conversations } from '$lib/features/conversations';
import { userMessage } from './made';
import { picturesOf } from './parts';
import type { Thread } from './thread.svelte';

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
