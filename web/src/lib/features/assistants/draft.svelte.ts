import type { Assistant, AssistantProfile, Parameters } from '$lib/api';
import { m } from '$lib/i18n';
import { questionsOf, tagsOf } from './lines';

/** The limits of the server, which says no to what is past them. */
export const MOST = {
	name: 80,
	description: 500,
	avatar: 24,
	tags: 10,
	tag: 30,
	questions: 8,
	question: 300,
	openingBytes: 8 * 1024,
	roleBytes: 64 * 1024,
	templateBytes: 8 * 1024,
	history: 200
};

const FIELDS = [
	'name',
	'description',
	'avatar',
	'background',
	'tags',
	'opening_message',
	'opening_questions',
	'role',
	'input_template',
	'model',
	'parameters',
	'history_messages'
] as const;
export type ProfileField = (typeof FIELDS)[number];
export const fields: readonly ProfileField[] = FIELDS;

const bytes = (text: string) => new TextEncoder().encode(text).length;
const letters = (text: string) => [...text].length;

/** An assistant as it is being written: what the fields hold, whether it differs from what is kept, and what is wrong with it. */
export class AssistantDraft {
	name = $state('');
	description = $state('');
	avatar = $state('');
	background = $state('');
	tags = $state('');
	openingMessage = $state('');
	openingQuestions = $state('');
	role = $state('');
	inputTemplate = $state('');
	model = $state<string | null>(null);
	parameters = $state.raw<Parameters>({});
	historyMessages = $state<number | null>(null);
	/** A picture that was chosen, and is not kept yet. */
	chosen = $state.raw<Blob | null>(null);
	/** The picture that is kept is to go. */
	bare = $state(false);
	/** Where the picture is that the face shows. */
	preview = $state<string>();
	/** Why the picture was not taken. */
	pictureFault = $state('');
	readonly #picture: string | undefined;
	#kept = $state('');
	readonly profile: AssistantProfile = $derived({
		name: this.name.trim(),
		description: this.description.trim(),
		avatar: this.avatar.trim(),
		background: this.background,
		tags: tagsOf(this.tags),
		opening_message: this.openingMessage.trim(),
		opening_questions: questionsOf(this.openingQuestions),
		role: this.role.trim(),
		input_template: this.inputTemplate.trim(),
		model: this.model,
		parameters: this.parameters,
		history_messages: this.historyMessages
	});
	readonly changed = $derived(
		JSON.stringify(this.profile) !== this.#kept || this.chosen !== null || this.bare
	);

	/** `picture` is where the one is that is kept. */
	constructor(profile: Partial<AssistantProfile> = {}, picture?: string) {
		this.#picture = picture;
		this.preview = picture;
		this.name = profile.name ?? '';
		this.description = profile.description ?? '';
		this.avatar = profile.avatar ?? '';
		this.background = profile.background ?? '';
		this.tags = (profile.tags ?? []).join(', ');
		this.openingMessage = profile.opening_message ?? '';
		this.openingQuestions = (profile.opening_questions ?? []).join('\n');
		this.role = profile.role ?? '';
		this.inputTemplate = profile.input_template ?? '';
		this.model = profile.model ?? null;
		this.parameters = profile.parameters ?? {};
		this.historyMessages = profile.history_messages ?? null;
		this.keep();
	}

	/** What is written now is what is kept. */
	keep(): void {
		this.#kept = JSON.stringify(this.profile);
		this.chosen = null;
		this.bare = false;
	}

	/** Shows a picture as the face, to be kept with the rest; or none. */
	setPicture(picture: Blob | null): void {
		this.release();
		this.pictureFault = '';
		this.chosen = picture;
		this.bare = picture === null && this.#picture !== undefined;
		this.preview = picture ? URL.createObjectURL(picture) : undefined;
	}

	/** Lets go of the picture that only this page holds. */
	release(): void {
		if (this.preview && this.preview !== this.#picture) URL.revokeObjectURL(this.preview);
	}

	setParameter<Name extends keyof Parameters>(name: Name, value: Parameters[Name] | null): void {
		const { [name]: _before, ...rest } = this.parameters;
		this.parameters = value === null ? rest : { ...rest, [name]: value };
	}

	/** What the server would refuse, in the reader's words. */
	faults(): Partial<Record<ProfileField, string>> {
		const { profile } = this;
		const wrong: Record<ProfileField, boolean> = {
			name: profile.name === '' || letters(profile.name) > MOST.name,
			description: letters(profile.description ?? '') > MOST.description,
			avatar: letters(profile.avatar ?? '') > MOST.avatar,
			background: false,
			tags:
				(profile.tags ?? []).length > MOST.tags ||
				(profile.tags ?? []).some((tag) => letters(tag) > MOST.tag),
			opening_message: bytes(profile.opening_message ?? '') > MOST.openingBytes,
			opening_questions:
				(profile.opening_questions ?? []).length > MOST.questions ||
				(profile.opening_questions ?? []).some((question) => letters(question) > MOST.question),
			role: bytes(profile.role ?? '') > MOST.roleBytes,
			input_template: templateFault(profile.input_template ?? '') !== null,
			model: false,
			parameters: false,
			history_messages: false
		};
		return Object.fromEntries(
			fields.filter((field) => wrong[field]).map((field) => [field, faultWords(field)])
		);
	}
}

/** Why a template cannot be used, or null. Without one, the text goes as it is. */
export function templateFault(template: string): 'text' | 'long' | null {
	if (template.trim() === '') return null;
	if (!template.includes('{{text}}')) return 'text';
	return bytes(template) > MOST.templateBytes ? 'long' : null;
}

/** What is wrong with a field, whoever found it: the browser before it asks, or the server. */
export function faultWords(field: ProfileField): string {
	const words: Record<ProfileField, () => string> = {
		name: () => m.assistants_fault_name({ count: MOST.name }),
		description: () => m.assistants_fault_length({ count: MOST.description }),
		avatar: m.assistants_fault_avatar,
		background: m.assistants_fault_background,
		tags: () => m.assistants_fault_tags({ most: MOST.tags, count: MOST.tag }),
		opening_message: () => m.assistants_fault_bytes({ count: MOST.openingBytes / 1024 }),
		opening_questions: () => m.assistants_fault_questions({ most: MOST.questions, count: MOST.question }),
		role: () => m.assistants_fault_bytes({ count: MOST.roleBytes / 1024 }),
		input_template: () => m.assistants_fault_template({ text: '{{text}}', count: MOST.templateBytes / 1024 }),
		model: m.assistants_fault_model,
		parameters: m.assistants_fault_parameters,
		history_messages: () => m.assistants_fault_history({ count: MOST.history })
	};
	return words[field]();
}

/** What is kept of an assistant, without what belongs to the one and not to the profile. */
export function profileOf(assistant: Assistant): AssistantProfile {
	const {
		id: _id,
		picture: _picture,
		pinned: _pinned,
		folder_id: _folder,
		shared: _shared,
		created_at: _made,
		updated_at: _changed,
		...profile
	} = assistant;
	return profile;
}
