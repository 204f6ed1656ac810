import { m } from '$lib/i18n';

const LONGEST = 40;

/** A name for a title: small letters, digits and hyphens, a letter first. Empty when the title has none of them. */
export function suggestName(title: string): string {
	return title
		.normalize('NFKD')
		.replace(/\p{M}/gu, '')
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, '-')
		.replace(/^[-0-9]+/, '')
		.slice(0, LONGEST)
		.replace(/-+$/, '');
}

export type NameFault = 'empty' | 'form' | 'long';

/** What is wrong with a name, or null. It stands in the function's address. */
export function nameFault(name: string): NameFault | null {
	if (name === '') return 'empty';
	if (name.length > LONGEST) return 'long';
	return /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/.test(name) ? null : 'form';
}

export function nameWords(name: string): string | undefined {
	const fault = nameFault(name);
	if (!fault) return undefined;
	return { empty: m.fn_name_empty, form: m.fn_name_form, long: m.fn_name_long }[fault]();
}
