import { formatNumber, m } from '$lib/i18n';

/** A span of time as it is read: milliseconds below a second, then seconds with one place. */
export function durationWords(ms: number): string {
	return ms < 1000
		? m.milliseconds({ count: formatNumber(Math.round(ms)) })
		: m.seconds({ count: formatNumber(ms / 1000, { maximumFractionDigits: 1 }) });
}

/** Tokens a second as they are read. */
export function rate(tokens: number): string {
	return formatNumber(tokens, { maximumFractionDigits: tokens < 10 ? 1 : 0 });
}
