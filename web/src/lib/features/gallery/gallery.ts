import type { Assistant, AssistantProfile, Parameters } from '$lib/api';
import type { Locale } from '$lib/i18n';

/** An assistant that comes with Stoa, to be added to one's own. */
export interface Offer {
	/** The same in every language, for addresses. */
	id: string;
	name: string;
	description: string;
	/** An emoji. */
	avatar: string;
	background: string;
	tags: string[];
	opening_message: string;
	opening_questions: string[];
	/** Markdown. */
	role: string;
	/** With `{{text}}` in it, where the message goes. */
	input_template?: string;
	parameters: Parameters;
}

/** As it stands in the file of a language: the role in lines, so that changes can be read. */
type Written = Omit<Offer, 'role'> & { role: string[] };

// Each language is a file of its own, which comes when it is looked at.
const files: Record<Locale, () => Promise<{ default: Written[] }>> = {
	en: () => import('./en.json'),
	zh: () => import('./zh.json')
};

/** All that is offered, in one language; the order is the same in each. */
export async function readGallery(language: Locale): Promise<Offer[]> {
	const { default: written } = await files[language]();
	return written.map(({ role, ...offer }) => ({ ...offer, role: role.join('\n') }));
}

/** What is made of it: the model stays the one in use. */
export function profileOf({ id: _id, ...profile }: Offer): AssistantProfile {
	return { ...profile, model: null, history_messages: null };
}

/** All tags, in the order in which they first come. */
export function tagsOf(offers: readonly Offer[]): string[] {
	return [...new Set(offers.flatMap(({ tags }) => tags))];
}

/** One's own assistant that was made of it and still has its name and role. */
export function ownOf({ name, role }: Offer, own: readonly Assistant[]): Assistant | undefined {
	return own.find((assistant) => assistant.name === name && assistant.role === role);
}
