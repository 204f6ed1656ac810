import type { Scope } from '$lib/api';
import { languageTag, m } from '$lib/i18n';

export const scopes: Scope[] = ['infer', 'account', 'models'];

export function scopeName(scope: Scope): string {
	return {
		infer: m.settings_scope_infer(),
		account: m.settings_scope_account(),
		models: m.settings_scope_models()
	}[scope];
}

export function scopeSentence(scope: Scope): string {
	return {
		infer: m.settings_scope_infer_can(),
		account: m.settings_scope_account_can(),
		models: m.settings_scope_models_can()
	}[scope];
}

export function formatList(words: string[]): string {
	return new Intl.ListFormat(languageTag(), { type: 'conjunction' }).format(words);
}
