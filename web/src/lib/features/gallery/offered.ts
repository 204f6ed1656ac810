import type { AssistantProfile } from '$lib/api';
import { getLocale, locales } from '$lib/i18n';
import { profileOf, readGallery, type Offer } from './gallery';

/** The address of the editor that begins with what is offered, in the language it is shown in. */
export function editorAddress({ id }: Offer, language: string): string {
	return `/assistants/new?${new URLSearchParams({ from: id, language }).toString()}`;
}

/** What the address of the editor asks to begin with, if anything. */
export async function offered(query: URLSearchParams): Promise<AssistantProfile | undefined> {
	const id = query.get('from');
	if (!id) return undefined;
	const language = locales.find((locale) => locale === query.get('language')) ?? getLocale();
	const offer = (await readGallery(language)).find((one) => one.id === id);
	return offer && profileOf(offer);
}
