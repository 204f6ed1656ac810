// Messages as they are shown before the server has said them.
import type { Message, Turn } from '$lib/api';
import type { Picture } from '$lib/features/attachments';
import { partsOf } from './parts';

/** A message of the reader. */
export const userMessage = (
	id: string,
	conversation: string,
	parent: string | null,
	text: string,
	pictures: readonly Picture[] = []
): Message => ({
	id,
	conversation_id: conversation,
	parent_id: parent,
	role: 'user',
	parts: partsOf(text, pictures),
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
	created_at: new Date().toISOString()
});

/** The empty answer of a turn. */
export const reply = (turn: Turn, conversation: string, parent: string, model: string): Message => ({
	...userMessage(turn.reply_id, conversation, parent, ''),
	role: 'assistant',
	parts: [],
	status: 'running',
	model,
	generation_id: turn.generation_id
});
