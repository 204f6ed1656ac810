import type { Conversation, Message, Usage } from '$lib/api';
import type { Delta } from './log';

export type StreamProblem = NonNullable<Message['error']>;

export type FinishReason = 'stop' | 'length' | 'content_filter' | 'tool_calls' | 'stopped' | 'interrupted';

interface OfGeneration {
	generation_id: string;
}

/** What the server says about the generations this tab follows, by the name of the event. */
export interface GenerationEvents {
	start: OfGeneration & { seq: number; message_id: string; conversation_id: string; model: string };
	/** It waits for its model, and so many are before it. */
	queued: OfGeneration & { ahead: number };
	delta: OfGeneration & Delta;
	rewind: OfGeneration & { seq: number };
	/** Sequence number 0 carries what the message held before a continuation. */
	snapshot: OfGeneration & { seq: number; parts: Message['parts'] };
	usage: OfGeneration & Usage;
	finish: OfGeneration & { reason: FinishReason; message?: Message | null };
	error: OfGeneration & { problem: StreamProblem; message?: Message | null };
}

export type ConversationEvent =
	| { kind: 'created' | 'updated'; conversation: Conversation }
	| { kind: 'deleted'; conversation: Pick<Conversation, 'id'> };

const names = ['start', 'queued', 'delta', 'rewind', 'snapshot', 'usage', 'finish', 'error'] as const;

export function isGenerationEvent(name: string): name is keyof GenerationEvents {
	return (names as readonly string[]).includes(name);
}
