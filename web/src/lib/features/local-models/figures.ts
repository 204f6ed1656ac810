import { formatNumber } from '$lib/i18n';

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** "271 MB", "4.9 GB": three digits at most, as shops and registries write sizes. */
export function formatBytes(bytes: number, suffix = ''): string {
	let size = bytes;
	let unit = 0;
	while (size >= 999.5 && unit < units.length - 1) {
		size /= 1000;
		unit += 1;
	}
	return formatNumber(size, {
		style: 'unit',
		unit: `${units[unit]}${suffix}`,
		unitDisplay: unit === 0 ? 'long' : 'short',
		maximumFractionDigits: size < 99.95 && unit > 2 ? 1 : 0
	});
}

/** "1.7B", "135M": weights as people count them. */
export function formatWeights(count: number): string {
	const [size, letter] =
		count >= 1e9 ? [count / 1e9, 'B'] : count >= 1e6 ? [count / 1e6, 'M'] : [count / 1e3, 'K'];
	return `${formatNumber(size, { maximumFractionDigits: size < 10 ? 1 : 0 })}${letter}`;
}

/** "40 sec", "3 min", "2 hr": one unit, rounded up, because nobody minds being done early. */
export function formatDuration(seconds: number): string {
	const [value, unit] =
		seconds < 60
			? [Math.max(1, Math.ceil(seconds)), 'second']
			: seconds < 5400
				? [Math.ceil(seconds / 60), 'minute']
				: [Math.ceil(seconds / 3600), 'hour'];
	return formatNumber(value, { style: 'unit', unit, unitDisplay: 'short' });
}
