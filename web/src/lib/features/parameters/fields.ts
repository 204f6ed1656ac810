import type { Parameters, Think } from '$lib/api';
import { formatNumber, m } from '$lib/i18n';

/** How a number is chosen on a slider. */
export interface Scale {
	label: () => string;
	hint: () => string;
	/** Positions of the slider, which need not be the values. */
	min: number;
	max: number;
	step: number;
	/** Where the slider stands when the parameter is switched on. */
	start: number;
	toValue: (position: number) => number;
	toPosition: (value: number) => number;
	format: (value: number) => string;
}

export interface Field extends Scale {
	name: Exclude<keyof Parameters, 'think' | 'own'>;
}

export const efforts: { value: Exclude<Think, object | 'on'>; label: () => string }[] = [
	{ value: 'off', label: m.think_off },
	{ value: 'low', label: m.think_low },
	{ value: 'medium', label: m.think_medium },
	{ value: 'high', label: m.think_high },
	{ value: 'max', label: m.think_max }
];

const same = (value: number) => value;
const places = (digits: number) => (value: number) =>
	formatNumber(value, { minimumFractionDigits: digits, maximumFractionDigits: 2 });

/** Lengths double from step to step: between 64 and 65,536 each is as near to the last. */
const LENGTHS = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

function nearestLength(tokens: number): number {
	return LENGTHS.reduce(
		(best, length, index) =>
			Math.abs(Math.log2(length / tokens)) < Math.abs(Math.log2((LENGTHS[best] ?? 64) / tokens))
				? index
				: best,
		0
	);
}

/** The parameters of a turn, each off until it is switched on: what is off is not sent. */
export const fields: Field[] = [
	{
		name: 'temperature',
		label: m.temperature,
		hint: m.temperature_hint,
		min: 0,
		max: 2,
		step: 0.1,
		start: 0.7,
		toValue: same,
		toPosition: same,
		format: places(1)
	},
	{
		name: 'top_p',
		label: m.top_p,
		hint: m.top_p_hint,
		min: 0,
		max: 1,
		step: 0.05,
		start: 0.9,
		toValue: same,
		toPosition: same,
		format: places(2)
	},
	{
		name: 'presence_penalty',
		label: m.presence_penalty,
		hint: m.presence_penalty_hint,
		min: -2,
		max: 2,
		step: 0.1,
		start: 0,
		toValue: same,
		toPosition: same,
		format: places(1)
	},
	{
		name: 'frequency_penalty',
		label: m.frequency_penalty,
		hint: m.frequency_penalty_hint,
		min: -2,
		max: 2,
		step: 0.1,
		start: 0,
		toValue: same,
		toPosition: same,
		format: places(1)
	},
	{
		name: 'max_tokens',
		label: m.max_tokens,
		hint: m.max_tokens_hint,
		min: 0,
		max: LENGTHS.length - 1,
		step: 1,
		start: 4,
		toValue: (position) => LENGTHS[position] ?? 1024,
		toPosition: nearestLength,
		format: (value) => m.tokens({ count: value, amount: formatNumber(value) })
	}
];

/** How many tokens a model may think. */
export const budget: Scale = {
	label: m.think_budget_tokens,
	hint: m.think_budget_hint,
	min: 4,
	max: LENGTHS.length - 1,
	step: 1,
	start: 7,
	toValue: (position) => LENGTHS[position] ?? 1024,
	toPosition: nearestLength,
	format: (value) => m.tokens({ count: value, amount: formatNumber(value) })
};
