import { formatNumber } from '$lib/i18n';

/** How long to wait, rounded up so that trying at that moment works: "40 seconds", "3 minutes". */
export function waitInWords(seconds: number): string {
	const minutes = seconds > 90;
	return formatNumber(minutes ? Math.ceil(seconds / 60) : Math.max(1, Math.ceil(seconds)), {
		style: 'unit',
		unit: minutes ? 'minute' : 'second',
		unitDisplay: 'long'
	});
}
