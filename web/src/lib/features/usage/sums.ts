import type { DailyUsage } from '$lib/api';

export interface Sum {
	calls: number;
	failed: number;
	prompt: number;
	cached: number;
	answer: number;
	/** In billionths of a dollar; null when no model had prices. */
	cost: number | null;
}

export interface DaySum extends Sum {
	/** `2026-11-24` */
	date: string;
}

export interface ModelSum extends Sum {
	model: string;
}

const nothing: Sum = { calls: 0, failed: 0, prompt: 0, cached: 0, answer: 0, cost: null };

export function sumOf(usage: Omit<DailyUsage, 'date' | 'model'>): Sum {
	return {
		calls: usage.calls,
		failed: usage.failed,
		prompt: usage.prompt_tokens,
		cached: usage.cached_tokens,
		answer: usage.completion_tokens,
		cost: usage.cost
	};
}

function plus(a: Sum, b: Sum): Sum {
	return {
		calls: a.calls + b.calls,
		failed: a.failed + b.failed,
		prompt: a.prompt + b.prompt,
		cached: a.cached + b.cached,
		answer: a.answer + b.answer,
		cost: a.cost === null ? b.cost : a.cost + (b.cost ?? 0)
	};
}

export const tokens = (sum: Sum) => sum.prompt + sum.answer;

export function total(usage: DailyUsage[]): Sum {
	return usage.map(sumOf).reduce(plus, nothing);
}

function grouped(usage: DailyUsage[], key: (one: DailyUsage) => string): Map<string, Sum> {
	const sums = new Map<string, Sum>();
	for (const one of usage) sums.set(key(one), plus(sums.get(key(one)) ?? nothing, sumOf(one)));
	return sums;
}

/** The most tokens first. */
export function byModel(usage: DailyUsage[]): ModelSum[] {
	return [...grouped(usage, (one) => one.model)]
		.map(([model, sum]) => ({ model, ...sum }))
		.sort((a, b) => tokens(b) - tokens(a) || a.model.localeCompare(b.model));
}

/** A day as the server writes it, by the clock of this browser. */
export function dateOf(moment: Date): string {
	const two = (number: number) => String(number).padStart(2, '0');
	return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}

/** So many days up to `today`, the oldest first, those without calls among them. */
export function byDay(usage: DailyUsage[], days: number, today: Date): DaySum[] {
	const sums = grouped(usage, (one) => one.date);
	return Array.from({ length: days }, (_, index) => {
		// Noon, so that no change of the clocks makes a day twice or leaves one out.
		const day = new Date(today.getFullYear(), today.getMonth(), today.getDate() - (days - 1 - index), 12);
		const date = dateOf(day);
		return { date, ...(sums.get(date) ?? nothing) };
	});
}

/** A day as a moment in its middle, for words and weekdays. */
export function momentOf(date: string): Date {
	const [year, month, day] = date.split('-').map(Number);
	return new Date(year ?? 0, (month ?? 1) - 1, day ?? 1, 12);
}

/** Whole weeks from Monday on; places outside of the days are null. */
export function weeks(days: DaySum[]): (DaySum | null)[][] {
	const first = days[0];
	if (!first) return [];
	const before = (momentOf(first.date).getDay() + 6) % 7;
	const places: (DaySum | null)[] = [...Array<null>(before).fill(null), ...days];
	while (places.length % 7 > 0) places.push(null);
	return Array.from({ length: places.length / 7 }, (_, week) => places.slice(week * 7, week * 7 + 7));
}

/** How strongly a day is drawn beside the strongest: 0 for nothing, then 1 to 4. */
export function strength(sum: Sum, most: number): number {
	const own = tokens(sum);
	return own === 0 || most === 0 ? 0 : Math.max(1, Math.ceil((Math.sqrt(own) / Math.sqrt(most)) * 4));
}
