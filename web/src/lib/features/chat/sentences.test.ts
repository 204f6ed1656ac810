import { describe, expect, it } from 'vitest';
import { sentencesAfter } from './sentences';

describe('reading an answer aloud', () => {
	it('gives whole sentences, each once', () => {
		expect(sentencesAfter('One. Two is he', 0)).toEqual({ words: 'One.', to: 4 });
		expect(sentencesAfter('One. Two is here. ', 4)).toEqual({ words: 'Two is here.', to: 17 });
		expect(sentencesAfter('One. Two', 4)).toEqual({ words: '', to: 4 });
	});

	it('does not stop in numbers', () => {
		expect(sentencesAfter('It costs 3.5 euros', 0).words).toBe('');
	});

	it('knows Chinese sentences and lines', () => {
		expect(sentencesAfter('限流。心跳', 0)).toEqual({ words: '限流。', to: 3 });
		expect(sentencesAfter('- first\n- sec', 0).words).toBe('first');
	});

	it('leaves the marks out', () => {
		expect(sentencesAfter('## **Bold** and [a link](https://e.com) `x`.\n', 0).words).toBe(
			'Bold and a link x.'
		);
	});
});
