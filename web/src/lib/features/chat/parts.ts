import type { Message, NewPart, Part } from '$lib/api';
import type { Picture } from '$lib/features/attachments';
import type { LiveGeneration } from '$lib/features/stream';

/** What a model says; pictures are of the reader. */
type Said = { type: 'text' | 'reasoning'; text: string; duration_ms?: number };

/**
 * What an answer says now: what grows, once something of it has come, else what is kept. A message that has ended is whole,
 * while its stream may still be on the way: after a lost connection the message is often read first.
 */
export function shownParts(
	message: Pick<Message, 'status' | 'parts'>,
	live: { generation: LiveGeneration } | undefined
): readonly Said[] {
	const growing = (message.status === 'running' && live?.generation.parts) || [];
	return growing.length > 0 ? growing : message.parts.filter((part) => part.type !== 'image');
}

/** The words of a message without the thinking, for copying and editing. */
export function plainText(parts: readonly (Part | Said)[]): string {
	return parts.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n\n');
}

/** The pictures of a message. */
export function picturesOf(parts: readonly Part[]): Picture[] {
	return parts.flatMap((part) => {
		if (part.type !== 'image') return [];
		const { file_id: id, name, width, height } = part;
		return { id, name, width, height };
	});
}

/** The widest and the highest that one picture by itself is shown. */
const WIDEST = 360;
const HIGHEST = 320;

/** How wide one picture by itself is. */
export const widthOf = ({ width, height }: Picture): number =>
	Math.round(Math.max(72, Math.min(width, WIDEST, (HIGHEST * width) / height)));

/** How much room the pictures of a message take, as long as what shows them is on its way. */
export function heightOf(pictures: readonly Picture[]): number {
	const [only] = pictures;
	return only && pictures.length === 1 ? Math.min(HIGHEST, (widthOf(only) * only.height) / only.width) : 132;
}

/** What a message is made of: its pictures come before its words. */
export function partsOf(text: string, pictures: readonly Picture[]): Part[] {
	const shown = pictures.map(({ id, name, width, height }) => ({
		type: 'image' as const,
		file_id: id,
		name,
		width,
		height
	}));
	return text === '' && shown.length > 0 ? shown : [...shown, { type: 'text', text }];
}

/** The same as it is sent: what the server knows of a file it is not told. */
export function sentParts(parts: readonly Part[]): NewPart[] {
	return parts.flatMap((part): NewPart[] => {
		if (part.type === 'image') return [{ type: 'image', file_id: part.file_id }];
		return part.type === 'text' ? [{ type: 'text', text: part.text }] : [];
	});
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
