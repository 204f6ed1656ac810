import { describe, expect, it } from 'vitest';
import { problemWords } from './problem-text';

describe('a problem in words', () => {
	it('has its own title and hint when the code is known, and keeps the words of the server', () => {
		const words = problemWords({
			code: 'slug_taken',
			title: 'Conflict',
			detail: 'The slug `openai` belongs to another provider.'
		});
		expect(words.title).toBe('Another provider has this slug');
		expect(words.detail).toBe('The slug `openai` belongs to another provider.');
		expect(words.hint).not.toBe('');
	});

	it('shows what the server said when the code is new', () => {
		const words = problemWords({
			code: 'disk_full',
			title: 'Insufficient Storage',
			detail: 'No space left.',
			hint: 'Free some space.'
		});
		expect(words).toEqual({ title: 'No space left.', detail: '', hint: 'Free some space.' });
	});

	it('says something even when nothing is known, and nothing twice', () => {
		expect(problemWords({ code: 'http_502' }).title).toBe('The request failed');
		expect(problemWords({ code: 'x', title: 'Same', detail: 'Same' }).detail).toBe('');
	});
});
