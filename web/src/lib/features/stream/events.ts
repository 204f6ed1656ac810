import type { Conversation, Message, Usage } from '$lib/api';
import type { Delta, LivePart } from './log';

export interface StreamProblem {
	code: string;
	title?: string;
	detail: string;
	hint?: string | null;
	request_id?: string | null;
	authority?: string | null;
}

export type FinishReason = 'stop' | 'length' | 'content_filter' | 'tool_calls' | 'stopped' | 'interrupted';

interface OfGeneration {
	generation_id: string;
}

/** What the server says about the generations this tab follows, by the name of the event. */
export interface GenerationEvents {
	start: OfGeneration & { seq: number; message_id: string; conversation_id: string; model: string };
	delta: OfGeneration & Delta;
	rewind: OfGeneration & { seq: number };
	snapshot: OfGeneration & { seq: number; parts: { type: LivePart['type']; text: string }[] };
	usage: OfGeneration & Usage;
	finish: OfGeneration & { reason: FinishReason; message?: Message | null };
	error: OfGeneration & { problem: StreamProblem };
}

export interface ConversationEvent {
	kind: 'created' | 'updated' | 'deleted';
	conversation: Conversation;
}

const names = ['start', 'delta', 'rewind', 'snapshot', 'usage', 'finish', 'error'] as const;

export function isGenerationEvent(name: string): name is keyof GenerationEvents {
	return (names as readonly string[]).includes(name);
}
