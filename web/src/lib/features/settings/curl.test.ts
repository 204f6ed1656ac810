import { expect, it } from 'vitest';
import { curlExample, shellQuote } from './curl';

it('makes a request that a shell takes as it is', () => {
	expect(curlExample('https://stoa.example', 'key_1', 'openai/gpt')).toBe(
		[
			'curl https://stoa.example/v1/chat/completions \\',
			"  -H 'Authorization: Bearer key_1' \\",
			"  -H 'Content-Type: application/json' \\",
			`  -d '{"model":"openai/gpt","messages":[{"role":"user","content":"Hello"}]}'`
		].join('\n')
	);
});

it('keeps quotes inside quotes', () => {
	expect(shellQuote("it's")).toBe(`'it'\\''s'`);
});
