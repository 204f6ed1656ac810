import { formatNumber, m } from '$lib/i18n';

/** A span of time as it is read: milliseconds below a second, then seconds with one place. */
export function durationWords(ms: number): string {
	return ms < 1000
		? m.milliseconds({ count: formatNumber(Math.round(ms)) })
		: m.seconds({ count: formatNumber(ms / 1000, { maximumFractionDigits: 1 }) });
}

/** Billionths of a dollar as they are read: cents, or two digits of what is less, so that a short answer is not free. */
export function dollars(billionths: number): string {
	return formatNumber(billionths / 1e9, {
		style: 'currency',
		currency: 'USD',
		minimumSignificantDigits: 2,
		maximumSignificantDigits: 2,
		maximumFractionDigits: 2,
		roundingPriority: 'morePrecision'
	});
}
