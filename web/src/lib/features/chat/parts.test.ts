import { describe, expect, it } from 'vitest';
import { endedByLength, plainText, tokensPerSecond } from './parts';

const usage = { prompt_tokens: 10, completion_tokens: 101, cached_tokens: 0, reasoning_tokens: 0 };

describe('what is said about an answer', () => {
	it('counts the speed from the first token on', () => {
		expect(tokensPerSecond({ usage, timings: { first_token_ms: 1_000, total_ms: 3_000 } })).toBe(50);
		expect(tokensPerSecond({ usage: null, timings: null })).toBeNull();
		expect(tokensPerSecond({ usage, timings: { first_token_ms: 9, total_ms: 9 } })).toBeNull();
	});

	it('knows when the longest answer was reached', () => {
		expect(endedByLength({ status: 'complete', usage, parameters: { max_tokens: 101 } })).toBe(true);
		expect(endedByLength({ status: 'complete', usage, parameters: { max_tokens: 500 } })).toBe(false);
		expect(endedByLength({ status: 'complete', usage, parameters: null })).toBe(false);
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
