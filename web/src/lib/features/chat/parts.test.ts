import { describe, expect, it } from 'vitest';
import type { Message } from '$lib/api';
import type { LiveGeneration } from '$lib/features/stream';
import { endedByLength, plainText, shownParts, tokensPerSecond } from './parts';

const usage = { prompt_tokens: 10, completion_tokens: 101, cached_tokens: 0, reasoning_tokens: 0 };

describe('what is said about an answer', () => {
	it('counts the speed from the first token on', () => {
		expect(tokensPerSecond({ usage, timings: { first_token_ms: 1_000, total_ms: 3_000 } })).toBe(50);
		expect(tokensPerSecond({ usage: null, timings: null })).toBeNull();
		expect(tokensPerSecond({ usage, timings: { first_token_ms: 9, total_ms: 9 } })).toBeNull();
	});

	it('knows when the longest answer was reached', () => {
		expect(endedByLength({ status: 'complete', finish_reason: 'length' })).toBe(true);
		expect(endedByLength({ status: 'complete', finish_reason: 'stop' })).toBe(false);
		expect(endedByLength({ status: 'complete', finish_reason: null })).toBe(false);
		expect(endedByLength({ status: 'stopped', finish_reason: 'length' })).toBe(false);
	});

	it('shows what grows while it grows, and the whole message as soon as it is there', () => {
		const whole = { parts: [{ type: 'text', text: '0 1 2 3' }] } as Pick<Message, 'parts'>;
		const live = (text: string) => ({
			generation: { parts: text ? [{ type: 'text', text }] : [] } as unknown as LiveGeneration
		});
		const words = (status: Message['status'], text?: string) =>
			shownParts({ ...whole, status }, text === undefined ? undefined : live(text)).map((part) => part.text);
		expect(words('running', '0 1')).toEqual(['0 1']);
		expect(words('running', '')).toEqual(['0 1 2 3']);
		expect(words('complete', '0 1')).toEqual(['0 1 2 3']);
		expect(words('complete')).toEqual(['0 1 2 3']);
	});

	it('copies the words and not the thinking', () => {
		expect(
			plainText([
				{ type: 'reasoning', text: 'hm' },
				{ type: 'text', text: 'a' },
				{ type: 'text', text: 'b' }
			])
		).toBe('a\n\nb');
	});
});
