import { formatDateTime, languageTag } from '$lib/i18n';

const steps: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
	['day', 86_400],
	['hour', 3600],
	['minute', 60]
];

/** "3 minutes ago", "in 2 days"; a date once it is more than thirty days away. */
export function ago(iso: string, now: number = Date.now()): string {
	const seconds = (new Date(iso).getTime() - now) / 1000;
	if (Math.abs(seconds) > 30 * 86_400) return formatDateTime(iso);
	const words = new Intl.RelativeTimeFormat(languageTag(), { numeric: 'auto' });
	for (const [unit, size] of steps) {
		if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
	}
	return words.format(0, 'second');
}
