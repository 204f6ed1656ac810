import { describe, expect, it } from 'vitest';
import { AnswerReader, errorText } from './answer';
import { CallFault } from './fault';

function read(chunks: unknown[]) {
	const said: [string, string][] = [];
	const reader = new AnswerReader((part, text) => {
		const last = said.at(-1);
		if (last?.[0] === part) last[1] += text;
		else said.push([part, text]);
	});
	for (const chunk of chunks) reader.take(typeof chunk === 'string' ? chunk : JSON.stringify(chunk));
	reader.end();
	return { said, reader };
}

const delta = (delta: unknown, more = {}) => ({ choices: [{ index: 0, delta, ...more }] });

describe('the answer of a provider', () => {
	it('is read as text, reasoning, usage and a reason to end', () => {
		const { said, reader } = read([
			delta({ role: 'assistant', content: '' }),
			delta({ reasoning_content: 'Hm. ' }),
			delta({ reasoning: 'Yes.' }),
			delta({ content: 'Hel' }),
			delta({ content: [{ type: 'text', text: 'lo' }] }),
			delta({}, { finish_reason: 'length' }),
			{
				choices: [],
				usage: { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 1 } }
			},
			'[DONE]'
		]);
		expect(said).toEqual([
			['reasoning', 'Hm. Yes.'],
			['text', 'Hello']
		]);
		expect(reader.finish).toBe('length');
		expect(reader.usage).toEqual({
			prompt_tokens: 3,
			completion_tokens: 2,
			cached_tokens: 1,
			reasoning_tokens: 0
		});
	});

	it('has its thoughts taken out of the text, wherever the marks are cut', () => {
		const whole = '\n<think>a < b</think>\n\nSo <think> is a word.';
		const expected = [
			['reasoning', 'a < b'],
			['text', 'So <think> is a word.']
		];
		for (let size = 1; size < whole.length; size += 1) {
			const pieces = whole.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
			expect(read(pieces.map((content) => delta({ content }))).said, `by ${size}`).toEqual(expected);
		}
		expect(read([delta({ content: '<thin ice' })]).said).toEqual([['text', '<thin ice']]);
		expect(read([delta({ content: '<thi' })]).said).toEqual([['text', '<thi']]);
	});

	it('may come whole, and an error may come at any time', () => {
		const whole = { choices: [{ message: { content: 'All at once' }, finish_reason: 'stop' }] };
		expect(read([whole]).said).toEqual([['text', 'All at once']]);
		expect(() => read([delta({ content: 'a' }), { error: { message: 'out of memory' } }])).toThrow(
			'out of memory'
		);
		for (const damaged of ['<html>', '{"choices"']) expect(() => read([damaged])).toThrow(CallFault);
		for (const odd of ['null', '7', '{"choices":[null]}', '{"choices":{}}'])
			expect(read([odd]).said).toEqual([]);
	});

	it('says of an error what the provider says of it, shortly', () => {
		expect(errorText('{"error":{"message":"no such model"}}')).toBe('no such model');
		expect(errorText('{"error":"bad"}')).toBe('bad');
		expect(errorText('{"detail":"not here"}')).toBe('not here');
		expect(errorText(` <h1>502</h1>${'x'.repeat(9_000)}`)).toHaveLength(500);
	});
});
