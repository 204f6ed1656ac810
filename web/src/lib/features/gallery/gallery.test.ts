import { beforeAll, describe, expect, it } from 'vitest';
import type { Assistant, AssistantProfile } from '$lib/api';
import { AssistantDraft, matching } from '$lib/features/assistants';
import { locales, type Locale } from '$lib/i18n';
import { ownOf, profileOf, readGallery, tagsOf, type Offer } from './gallery';
import { editorAddress, offered } from './offered';

const COLOUR = /^#[0-9a-f]{6}$/;
/** What an input template knows. */
const VALUES = ['text', 'date', 'time', 'user'];
const galleries = {} as Record<Locale, Offer[]>;
const ids = (offers: readonly Offer[]) => offers.map(({ id }) => id);

beforeAll(async () => {
	for (const language of locales) galleries[language] = await readGallery(language);
});

describe('the gallery', () => {
	it('has at least 24 assistants, the translator first', () => {
		expect(galleries.en.length).toBeGreaterThanOrEqual(24);
		expect(galleries.en[0]?.id).toBe('translator');
		expect(new Set(ids(galleries.en)).size).toBe(galleries.en.length);
	});

	it('is the same in each language but for the words', () => {
		const wordless = (offers: Offer[]) =>
			offers.map(({ id, avatar, background, parameters, tags, input_template }) => ({
				...{ id, avatar, background, parameters },
				tags: tags.map((tag) => tagsOf(offers).indexOf(tag)),
				values: [...(input_template ?? '').matchAll(/\{\{(.*?)\}\}/g)].map(([, name]) => name).sort()
			}));
		expect(wordless(galleries.zh)).toEqual(wordless(galleries.en));
	});

	it('is in Chinese where it says so', () => {
		const han = /\p{Script=Han}/u;
		for (const { name, description, role, opening_message, tags } of galleries.zh) {
			for (const text of [description, role, opening_message, ...tags]) expect(text, name).toMatch(han);
		}
		for (const { name, description, tags } of galleries.en) {
			for (const text of [name, description, ...tags]) expect(text).not.toMatch(han);
		}
	});

	it.each(locales)('holds what the server takes, as it is, in %s', (language) => {
		for (const offer of galleries[language]) {
			const profile = profileOf(offer);
			const draft = new AssistantDraft(profile);
			expect(draft.faults(), offer.id).toEqual({});
			// Trimmed, without doubles, and back again from the fields of the editor.
			expect({ input_template: '', ...profile }, offer.id).toEqual(draft.profile);
			// Nothing of this has a line break or a control character for the server.
			const { name, description, avatar, tags, opening_questions } = offer;
			for (const line of [name, description, avatar, ...tags, ...opening_questions]) {
				expect(line, offer.id).not.toMatch(/\p{Cc}/u);
			}
			expect(offer.background, offer.id).toMatch(COLOUR);
			const { temperature, ...others } = offer.parameters;
			expect(temperature, offer.id).toBeGreaterThanOrEqual(0);
			expect(temperature, offer.id).toBeLessThanOrEqual(2);
			expect(others, offer.id).toEqual({});
		}
	});

	it.each(locales)('leaves nothing out, in %s', (language) => {
		for (const offer of galleries[language]) {
			expect(offer.role.length, offer.id).toBeGreaterThan(150);
			expect(offer.opening_message, offer.id).not.toBe('');
			expect(offer.avatar, offer.id).toMatch(/\p{Extended_Pictographic}/u);
			expect(offer.tags.length, offer.id).toBeGreaterThan(0);
			expect(offer.opening_questions.length, offer.id).toBeGreaterThanOrEqual(2);
			expect(offer.opening_questions.length, offer.id).toBeLessThanOrEqual(4);
			if (offer.input_template === undefined) continue;
			expect(offer.input_template.split('{{text}}'), offer.id).toHaveLength(2);
			const values = [...offer.input_template.matchAll(/\{\{(.*?)\}\}/g)].map(([, name]) => name);
			expect(VALUES, offer.id).toEqual(expect.arrayContaining(values));
		}
	});

	it('is found by words of either language', () => {
		expect(ids(matching(galleries.en, 'minutes'))).toContain('meeting-minutes');
		expect(ids(matching(galleries.zh, '会议'))).toContain('meeting-minutes');
		expect(ids(matching(galleries.zh, 'excel 公式'))).toEqual(['spreadsheet']);
	});
});

describe('what is made of an offer', () => {
	const offer: Offer = {
		id: 'poet',
		name: 'Poet',
		description: '',
		avatar: '🪶',
		background: '#dbe7f3',
		tags: [],
		opening_message: '',
		opening_questions: [],
		role: 'You rhyme.',
		parameters: {}
	};
	const own = (more: Partial<AssistantProfile>): Assistant => ({
		...profileOf(offer),
		...{
			id: 'a',
			pinned: false,
			folder_id: null,
			picture: null,
			shared: false,
			created_at: '',
			updated_at: ''
		},
		...more
	});

	it('has no model of its own and nothing that a profile has not', () => {
		expect(profileOf(offer)).toEqual({
			...{ name: 'Poet', description: '', avatar: '🪶', background: '#dbe7f3', tags: [], role: 'You rhyme.' },
			...{ opening_message: '', opening_questions: [], parameters: {}, model: null, history_messages: null }
		});
	});

	it('is known again until its name or role is changed', () => {
		expect(ownOf(offer, [own({ role: 'x' }), own({ name: 'x' })])).toBeUndefined();
		expect(ownOf(offer, [own({ description: 'Mine' })])?.description).toBe('Mine');
	});

	it('is what the editor begins with, in the language that was looked at', async () => {
		const queryOf = (address: string) => new URL(address, 'http://localhost').searchParams;
		for (const language of locales) {
			const [first] = galleries[language];
			if (!first) throw new Error('an empty gallery');
			expect(await offered(queryOf(editorAddress(first, language)))).toEqual(profileOf(first));
		}
		expect((await offered(queryOf('/?from=translator')))?.name).toBe('Translator');
		expect(await offered(queryOf('/?from=nobody'))).toBeUndefined();
		expect(await offered(queryOf('/'))).toBeUndefined();
	});
});
