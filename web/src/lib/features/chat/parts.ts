import type { Message, Part } from '$lib/api';
import type { LiveGeneration } from '$lib/features/stream';

type AnyPart = { type: Part['type']; text: string; duration_ms?: number };

/**
 * What an answer says now: what grows, once something of it has come, else what is kept. A message that has ended is whole,
 * while its stream may still be on the way: after a lost connection the message is often read first.
 */
export function shownParts(
	message: Pick<Message, 'status' | 'parts'>,
	live: { generation: LiveGeneration } | undefined
): readonly AnyPart[] {
	const growing = (message.status === 'running' && live?.generation.parts) || [];
	return growing.length > 0 ? growing : message.parts;
}

/** The words of a message without the thinking, for copying and editing. */
export function plainText(parts: readonly AnyPart[]): string {
	return parts
		.filter((part) => part.type === 'text')
		.map((part) => part.text)
		.join('\n\n');
}

/** Below this, the clock says more about itself than about the model. */
const SHORTEST_MS = 50;

/** Tokens a second while the answer was written, or null when it cannot be said. */
export function tokensPerSecond(message: Pick<Message, 'usage' | 'timings'>): number | null {
	const { usage, timings } = message;
	if (!usage || !timings) return null;
	const writing = timings.total_ms - (timings.first_token_ms ?? 0);
	return usage.completion_tokens > 1 && writing >= SHORTEST_MS
		? ((usage.completion_tokens - 1) * 1000) / writing
		: null;
}

/** The answer reached the longest length that was allowed, so that it may not be at its end. */
export function endedByLength({ status, finish_reason }: Pick<Message, 'status' | 'finish_reason'>): boolean {
	return status === 'complete' && finish_reason === 'length';
}
