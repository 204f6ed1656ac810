import { formatNumber, languageTag, m } from '$lib/i18n';
import type { Instance, Template } from './types';

/** A stretch of time as it is read: `8 ms`, `1.2 s`. */
export function msWords(ms: number): string {
	if (ms < 10) return m.milliseconds({ count: formatNumber(ms, { maximumFractionDigits: 1 }) });
	return ms < 1_000
		? m.milliseconds({ count: formatNumber(Math.round(ms)) })
		: m.seconds({ count: formatNumber(ms / 1_000, { maximumFractionDigits: ms < 10_000 ? 2 : 1 }) });
}

export function bytesWords(bytes: number): string {
	const [value, unit] =
		bytes < 1024
			? [bytes, 'byte']
			: bytes < 1024 ** 2
				? [bytes / 1024, 'kilobyte']
				: bytes < 1024 ** 3
					? [bytes / 1024 ** 2, 'megabyte']
					: [bytes / 1024 ** 3, 'gigabyte'];
	return formatNumber(value, {
		style: 'unit',
		unit,
		unitDisplay: unit === 'byte' ? 'long' : 'short',
		maximumFractionDigits: 1
	});
}

export const percentWords = (share: number): string =>
	formatNumber(share, { style: 'percent', maximumFractionDigits: 1 });

/** `latest`, or a number, as a version is named. */
export const versionWords = (version: string | number): string =>
	version === 'latest' ? m.fn_latest() : m.fn_version({ number: String(version) });

export function languageWords(language: string): string {
	const names: Record<string, string> = { python: 'Python', node: 'Node.js' };
	return names[language] ?? m.fn_language_other();
}

export const kindWords = (kind: Template['kind']): string =>
	({
		agent: m.fn_kind_agent,
		agent_with_model: m.fn_kind_agent_with_model,
		mcp: m.fn_kind_mcp,
		webhook: m.fn_kind_webhook,
		job: m.fn_kind_job
	})[kind]();

export const stateWords = (state: Instance['state']): string =>
	({
		pending: m.fn_state_pending,
		starting: m.fn_state_starting,
		ready: m.fn_state_ready,
		frozen: m.fn_state_frozen,
		stopping: m.fn_state_stopping,
		stopped: m.fn_state_stopped
	})[state]();

const clock = new Intl.DateTimeFormat(languageTag(), {
	hour: '2-digit',
	minute: '2-digit',
	second: '2-digit',
	fractionalSecondDigits: 3,
	hour12: false
});

/** What tells the instances of one function apart: their ids begin alike. */
export const instanceWords = (id: string): string => id.slice(id.indexOf('-') + 1);

/** Where a function is called. */
export const placeOf = (name: string): string => `/fn/${name}/`;

/** The time of day to the thousandth of a second, by the reader's clock. */
export const clockWords = (iso: string): string => clock.format(new Date(iso));
