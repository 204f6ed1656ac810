import { describe, expect, it } from 'vitest';
import { userMessage } from './made';
import { quotation, transcript } from './transcript';

describe('messages elsewhere', () => {
	it('are Markdown with the names of who speaks', () => {
		const question = userMessage('q', 'c', null, 'What is **this**?', [
			{ id: 'f', name: 'cat.png', width: 1, height: 1 }
		]);
		const answer = {
			...userMessage('a', 'c', 'q', 'A cat.'),
			role: 'assistant' as const,
			model: 'mock/seer'
		};
		expect(transcript([question, answer])).toBe(
			'### You\n\n![cat.png]()\n\nWhat is **this**?\n\n### seer\n\nA cat.'
		);
	});

	it('are quoted line by line', () => {
		expect(quotation(' one\n\ntwo ')).toBe('> one\n>\n> two\n\n');
	});
});
