import { m } from '$lib/i18n';

const ID = /^[0-9a-f-]{36}$/;

/** Where the editor leads back to: the conversation that it was opened from, or the list. */
export function placeToGoBack(query: URLSearchParams, id: string | null): { href: string; label: string } {
	const from = query.get('from') ?? '';
	if (ID.test(from)) return { href: `/c/${from}`, label: m.assistants_back_conversation() };
	if (from === 'new' && id) return { href: `/?assistant=${id}`, label: m.assistants_back_conversation() };
	return { href: '/assistants', label: m.assistants_back() };
}
