import { describe, expect, it } from 'vitest';
import { AssistantDraft, MOST, profileOf, templateFault } from './draft.svelte';

const full = {
	name: 'Translator',
	description: 'Both ways',
	avatar: '🌐',
	background: '#dbe7f3',
	tags: ['language', 'work'],
	opening_message: 'Send me a text.',
	opening_questions: ['Good morning', 'Good night, and thanks'],
	role: 'You translate.',
	input_template: 'Translate: {{text}}',
	model: 'mock/echo',
	parameters: { temperature: 0.2 },
	history_messages: 4
};

describe('an assistant that is being written', () => {
	it('gives back what it was given', () => {
		const draft = new AssistantDraft(full);
		expect(draft.profile).toEqual(full);
		expect(draft.changed).toBe(false);
	});

	it('knows whether it was changed, also back again', () => {
		const draft = new AssistantDraft(full);
		draft.name = 'Interpreter';
		expect(draft.changed).toBe(true);
		draft.name = 'Translator ';
		expect(draft.changed).toBe(false);
		draft.setParameter('top_p', 0.5);
		expect(draft.changed).toBe(true);
		draft.setParameter('top_p', null);
		expect(draft.changed).toBe(false);
		draft.role = 'You interpret.';
		draft.keep();
		expect(draft.changed).toBe(false);
	});

	it('is refused field by field, as the server would', () => {
		expect(new AssistantDraft(full).faults()).toEqual({});
		const wrong = new AssistantDraft({
			...full,
			name: ' ',
			description: 'x'.repeat(MOST.description + 1),
			avatar: 'x'.repeat(MOST.avatar + 1),
			tags: Array.from({ length: MOST.tags + 1 }, (_, index) => `t${index}`),
			opening_message: 'ä'.repeat(MOST.openingBytes / 2 + 1),
			opening_questions: ['x'.repeat(MOST.question + 1)],
			role: '译'.repeat(Math.ceil(MOST.roleBytes / 3) + 1),
			input_template: 'no place'
		});
		expect(Object.keys(wrong.faults())).toEqual([
			'name',
			'description',
			'avatar',
			'tags',
			'opening_message',
			'opening_questions',
			'role',
			'input_template'
		]);
	});

	it('needs the text in its template, if it has one', () => {
		expect(templateFault('')).toBeNull();
		expect(templateFault(' \n')).toBeNull();
		expect(templateFault('{{text}}')).toBeNull();
		expect(templateFault('{{ text }}')).toBe('text');
		expect(templateFault(`{{text}}${'x'.repeat(MOST.templateBytes)}`)).toBe('long');
	});

	it('takes from an assistant what is its profile', () => {
		const kept = {
			...full,
			id: 'a',
			pinned: true,
			folder_id: null,
			picture: null,
			shared: true,
			created_at: '',
			updated_at: ''
		};
		expect(profileOf(kept)).toEqual(full);
	});
});
