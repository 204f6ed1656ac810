import { m } from '$lib/i18n';

/** The slug of the models that run on this machine; the server keeps it for itself. */
const RESERVED = 'local';
const LONGEST = 32;

/** A slug for a provider's name: small letters, digits and hyphens. Empty when the name has none of them. */
export function suggestSlug(name: string): string {
	const slug = name
		.normalize('NFKD')
		.replace(/\p{M}/gu, '')
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, '-')
		.replace(/^-+|-+$/g, '')
		.slice(0, LONGEST)
		.replace(/-+$/, '');
	return slug === RESERVED ? `${RESERVED}-provider` : slug;
}

/** What to say of it to whoever typed it. */
export function slugWords(slug: string): string | undefined {
	const fault = slugFault(slug);
	if (!fault) return undefined;
	return {
		empty: m.settings_slug_empty,
		form: m.settings_slug_form,
		long: m.settings_slug_long,
		reserved: m.settings_slug_reserved
	}[fault]();
}

export type SlugFault = 'empty' | 'form' | 'long' | 'reserved';

/** What is wrong with a slug, or null. */
export function slugFault(slug: string): SlugFault | null {
	if (slug === '') return 'empty';
	if (slug.length > LONGEST) return 'long';
	if (!/^[a-z0-9][a-z0-9-]*$/.test(slug)) return 'form';
	return slug === RESERVED ? 'reserved' : null;
}
