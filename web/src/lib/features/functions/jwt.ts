// Tokens of another issuer, as the form has them and as the server wants them.
import { m } from '$lib/i18n';
import type { JwtRules } from './types';

export interface JwtDraft {
	issuer: string;
	audience: string;
	from: 'url' | 'set';
	url: string;
	set: string;
	claims: { name: string; value: string }[];
}

export function draftOf(rules: JwtRules | null): JwtDraft {
	const keys = rules?.keys;
	return {
		issuer: rules?.issuer ?? '',
		audience: rules?.audience ?? '',
		from: keys && 'set' in keys ? 'set' : 'url',
		url: keys && 'url' in keys ? keys.url : '',
		set: keys && 'set' in keys ? JSON.stringify(keys.set, null, 2) : '',
		claims: Object.entries(rules?.claims ?? {}).map(([name, value]) => ({ name, value }))
	};
}

/** What a draft says, or what it lacks. */
export function rulesOf(draft: JwtDraft): { rules: JwtRules | null; faults: Record<string, string> } {
	const faults: Record<string, string> = {};
	if (!draft.issuer.trim()) faults.issuer = m.fn_jwt_fault_needed();
	if (!draft.audience.trim()) faults.audience = m.fn_jwt_fault_needed();
	const keys = keysOf(draft);
	if (!keys) faults.keys = draft.from === 'url' ? m.fn_jwt_fault_url() : m.fn_jwt_fault_set();
	const names = draft.claims.map(({ name }) => name.trim());
	if (names.some((name) => !name) || new Set(names).size < names.length)
		faults.claims = m.fn_jwt_fault_claims();
	if (!keys || Object.keys(faults).length > 0) return { rules: null, faults };
	const claims = Object.fromEntries(draft.claims.map(({ name, value }) => [name.trim(), value]));
	return { rules: { issuer: draft.issuer.trim(), audience: draft.audience.trim(), keys, claims }, faults };
}

function keysOf({ from, url, set }: JwtDraft): JwtRules['keys'] | null {
	if (from === 'url') return /^https?:\/\/\S+$/.test(url.trim()) ? { url: url.trim() } : null;
	try {
		const parsed: unknown = JSON.parse(set);
		const isSet =
			typeof parsed === 'object' && parsed !== null && 'keys' in parsed && Array.isArray(parsed.keys);
		return isSet ? { set: parsed } : null;
	} catch {
		return null;
	}
}
