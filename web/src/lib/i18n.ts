import { getLocale, locales, setLocale } from '$lib/paraglide/runtime';

export { m } from '$lib/paraglide/messages';
export { getLocale, locales };
export type Locale = (typeof locales)[number];

/** The name of each language in itself, for the language menu. */
export const languageNames: Record<Locale, string> = { en: 'English', zh: '简体中文' };

/** Keeps the choice and loads the page again in the new language; answers go on growing on the server meanwhile. */
export function chooseLocale(locale: Locale): void {
	void setLocale(locale);
}

/** The language tag for `lang` attributes and for the browser's own formatters. */
export function languageTag(): string {
	return getLocale() === 'zh' ? 'zh-Hans' : 'en';
}

/** The reader's own variant of the language, so that dates and figures look as at home: British, Swiss, … */
const variant = navigator.languages.find((tag) => tag.split('-')[0] === getLocale()) ?? languageTag();

export function formatNumber(value: number, options?: Intl.NumberFormatOptions): string {
	return new Intl.NumberFormat(variant, options).format(value);
}

export function formatDateTime(iso: string): string {
	return new Intl.DateTimeFormat(variant, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}

export function formatDate(iso: string): string {
	return new Intl.DateTimeFormat(variant, { dateStyle: 'medium' }).format(new Date(iso));
}

/** Billionths of a dollar as they are read: cents, or two digits of what is less, so that a short answer is not free. */
export function formatDollars(billionths: number): string {
	return formatNumber(billionths / 1e9, {
		style: 'currency',
		currency: 'USD',
		minimumSignificantDigits: 2,
		maximumSignificantDigits: 2,
		maximumFractionDigits: 2,
		roundingPriority: 'morePrecision'
	});
}
