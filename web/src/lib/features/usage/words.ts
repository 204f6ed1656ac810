import { formatDate, formatNumber, languageTag, m } from '$lib/i18n';
import { momentOf, tokens, type DaySum } from './sums';

/** A day, and what was used on it unless only the day is wanted. */
export function dayWords(day: DaySum, alone = false): string {
	const date = formatDate(momentOf(day.date).toISOString());
	return alone ? date : m.usage_day({ date, tokens: formatNumber(tokens(day)), count: day.calls });
}

export function monthName(moment: Date): string {
	return new Intl.DateTimeFormat(languageTag(), { month: 'short' }).format(moment);
}
