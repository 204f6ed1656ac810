import type { AssistantDetails } from '$lib/api';
import type { AssistantDraft } from './draft.svelte';

/** What a suggestion touches, as it was. */
export type Before = Pick<
	AssistantDraft,
	'name' | 'description' | 'avatar' | 'tags' | 'openingMessage' | 'openingQuestions'
>;

/** Puts what was suggested into the draft, and says what stood there. What was not suggested stays. */
export function take(draft: AssistantDraft, details: AssistantDetails): Before {
	const { name, description, avatar, tags, openingMessage, openingQuestions } = draft;
	draft.name = details.name || name;
	draft.description = details.description || description;
	draft.avatar = details.avatar || avatar;
	draft.tags = details.tags.join(', ') || tags;
	draft.openingMessage = details.opening_message || openingMessage;
	draft.openingQuestions = details.opening_questions.join('\n') || openingQuestions;
	return { name, description, avatar, tags, openingMessage, openingQuestions };
}
