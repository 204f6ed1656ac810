import { describe, expect, it } from 'vitest';
import { AssistantDraft } from './draft.svelte';
import { take } from './suggestion';

describe('a suggestion', () => {
	it('is taken where it says something, and undone', () => {
		const draft = new AssistantDraft({ name: 'Old', description: 'As it was', tags: ['one'] });
		const before = take(draft, {
			name: 'Translator',
			description: '',
			avatar: '🌐',
			tags: ['language', 'work'],
			opening_message: 'Hello',
			opening_questions: ['One?', 'Two?']
		});
		expect(draft.profile).toMatchObject({
			name: 'Translator',
			description: 'As it was',
			avatar: '🌐',
			tags: ['language', 'work'],
			opening_message: 'Hello',
			opening_questions: ['One?', 'Two?']
		});
		Object.assign(draft, before);
		expect(draft.changed).toBe(false);
	});
});
