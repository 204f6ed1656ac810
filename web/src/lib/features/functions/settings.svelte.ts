// The settings of a function as they are edited: every number under the name by which the server says what is wrong with it.
import type { Problem } from '$lib/api';
import { formatNumber, m } from '$lib/i18n';
import { bindingFault, toBindingRows, toBindings, type BindingRow } from './bindings';
import { lineOf, wordsOf } from './command';
import { toRecord, toRows, variableFault, type Variable } from './environment';
import type { FunctionSettings } from './types';
import { mountFault, type Mount } from './mounts';

const DAY = 86_400_000;
const TEN_MINUTES = 600_000;

/** From, to, in steps of. The same as in `functions::spec`. */
export const bounds = {
	port: [1_024, 65_535, 1],
	cpu_millis: [50, 16_000, 50],
	memory_mib: [128, 32_768, 64],
	disk_mib: [64, 10_240, 1],
	concurrency: [1, 1_000, 1],
	'instances.minimum': [0, 1_000, 1],
	'instances.maximum': [1, 1_000, 1],
	'idle.freeze_ms': [0, DAY, 1],
	'idle.stop_ms': [0, DAY, 1],
	'timeouts.start_ms': [100, DAY, 1],
	'timeouts.response_ms': [1, DAY, 1],
	'timeouts.silence_ms': [1, DAY, 1],
	'timeouts.total_ms': [1, DAY, 1],
	prepared: [0, 8, 1],
	stop_grace_ms: [0, TEN_MINUTES, 1],
	'health.period_seconds': [1, 120, 1],
	'health.timeout_seconds': [1, 3, 1],
	'health.failures': [1, 120, 1],
	'initializer.timeout_ms': [1, TEN_MINUTES, 1],
	'pre_stop.timeout_ms': [1, TEN_MINUTES, 1]
} as const;
export type NumberName = keyof typeof bounds;

/** How many of the kept unit are one of the shown: seconds for milliseconds, processors for thousandths. */
export const scaleOf = (name: NumberName): number => (/_(ms|millis)$/.test(name) ? 1_000 : 1);

/** Where a slider stops: close together where values are small, as most are. Every value between can be typed. */
export function stopsOf(name: NumberName): number[] {
	const [least, most, step] = bounds[name];
	const COUNT = 100;
	const along = (index: number) => least * (most / least) ** (index / COUNT);
	const stops = Array.from({ length: COUNT + 1 }, (_, index) => Math.round(along(index) / step) * step);
	return stops.filter((stop, index) => stops.indexOf(stop) === index);
}

/** The stop that is nearest to a value, by its place. */
export function nearest(stops: readonly number[], value: number): number {
	const far = (index: number) => Math.abs((stops[index] ?? Infinity) - value);
	return stops.reduce((best, _, index) => (far(index) < far(best) ? index : best), 0);
}

const optional = ['initializer', 'pre_stop', 'health', 'timeouts.total_ms'] as const;
type Optional = (typeof optional)[number];

function numbersOf(settings: FunctionSettings): Record<NumberName, number> {
	const { instances, idle, timeouts, health, initializer, pre_stop } = settings;
	return {
		port: settings.port,
		cpu_millis: settings.cpu_millis,
		memory_mib: settings.memory_mib,
		disk_mib: settings.disk_mib,
		concurrency: settings.concurrency,
		'instances.minimum': instances.minimum,
		'instances.maximum': instances.maximum,
		'idle.freeze_ms': idle.freeze_ms,
		'idle.stop_ms': idle.stop_ms,
		'timeouts.start_ms': timeouts.start_ms,
		'timeouts.response_ms': timeouts.response_ms,
		'timeouts.silence_ms': timeouts.silence_ms,
		'timeouts.total_ms': timeouts.total_ms ?? 60_000,
		prepared: settings.prepared,
		stop_grace_ms: settings.stop_grace_ms,
		'health.period_seconds': health?.period_seconds ?? 3,
		'health.timeout_seconds': health?.timeout_seconds ?? 1,
		'health.failures': health?.failures ?? 3,
		'initializer.timeout_ms': initializer?.timeout_ms ?? 30_000,
		'pre_stop.timeout_ms': pre_stop?.timeout_ms ?? 10_000
	};
}

const linesOf = (text: string) =>
	text
		.split('\n')
		.map((line) => line.trim())
		.filter(Boolean);

export class SettingsDraft {
	numbers = $state<Record<NumberName, number>>({} as Record<NumberName, number>);
	on = $state<Record<Optional, boolean>>({} as Record<Optional, boolean>);
	command = $state('');
	initializer = $state('');
	preStop = $state('');
	healthPath = $state('/');
	variables = $state<Variable[]>([]);
	network = $state<'none' | 'proxy'>('none');
	allowed = $state('');
	isolation = $state<FunctionSettings['isolation']>({ landlock: true, limits: true, own_user: false });
	/** What it was made from. */
	readonly base: string;
	/** The same as this draft would write it. */
	readonly #kept: string;
	bindings = $state<BindingRow[]>([]);
	mounts = $state<Mount[]>([]);
	/** What has no fields stays as it is, also what a later version of the server brings. */
	readonly #rest: FunctionSettings;

	constructor(settings: FunctionSettings) {
		this.base = JSON.stringify(settings);
		this.numbers = numbersOf(settings);
		this.on = {
			initializer: settings.initializer !== null,
			pre_stop: settings.pre_stop !== null,
			health: settings.health !== null,
			'timeouts.total_ms': settings.timeouts.total_ms !== null
		};
		this.command = lineOf(settings.command);
		this.initializer = lineOf(settings.initializer?.command ?? []);
		this.preStop = lineOf(settings.pre_stop?.command ?? []);
		this.healthPath = settings.health?.path ?? '/';
		this.variables = toRows(settings.environment);
		this.network = settings.network === 'none' ? 'none' : 'proxy';
		this.allowed = settings.network === 'none' ? '' : settings.network.proxy.allowed.join('\n');
		this.isolation = { ...settings.isolation };
		this.bindings = toBindingRows(settings.bindings);
		this.mounts = settings.volumes.map((mount) => ({ ...mount }));
		this.#rest = settings;
		this.#kept = JSON.stringify(this.settings());
	}

	get changed(): boolean {
		return JSON.stringify(this.settings()) !== this.#kept;
	}

	settings(): FunctionSettings {
		const { numbers, on } = this;
		const hook = (name: 'initializer' | 'pre_stop', line: string) =>
			on[name] ? { command: wordsOf(line) ?? [line], timeout_ms: numbers[`${name}.timeout_ms`] } : null;
		return {
			...this.#rest,
			command: wordsOf(this.command) ?? [this.command],
			port: numbers.port,
			environment: toRecord(this.variables),
			cpu_millis: numbers.cpu_millis,
			memory_mib: numbers.memory_mib,
			disk_mib: numbers.disk_mib,
			concurrency: numbers.concurrency,
			instances: { minimum: numbers['instances.minimum'], maximum: numbers['instances.maximum'] },
			idle: { freeze_ms: numbers['idle.freeze_ms'], stop_ms: numbers['idle.stop_ms'] },
			timeouts: {
				start_ms: numbers['timeouts.start_ms'],
				response_ms: numbers['timeouts.response_ms'],
				silence_ms: numbers['timeouts.silence_ms'],
				total_ms: on['timeouts.total_ms'] ? numbers['timeouts.total_ms'] : null
			},
			health: on.health
				? {
						path: this.healthPath,
						period_seconds: numbers['health.period_seconds'],
						timeout_seconds: numbers['health.timeout_seconds'],
						failures: numbers['health.failures']
					}
				: null,
			initializer: hook('initializer', this.initializer),
			pre_stop: hook('pre_stop', this.preStop),
			prepared: numbers.prepared,
			stop_grace_ms: numbers.stop_grace_ms,
			bindings: toBindings(this.bindings),
			volumes: this.mounts.map(({ path, ...mount }) => ({ ...mount, path: path.trim() })),
			network: this.network === 'none' ? 'none' : { proxy: { allowed: linesOf(this.allowed) } },
			isolation: { ...this.isolation }
		};
	}

	/** What is wrong, by the names of the fields. */
	faults(): Record<string, string> {
		const faults: Record<string, string> = {};
		for (const name of Object.keys(bounds) as NumberName[]) {
			const fault = this.#shown(name) ? this.#numberFault(name) : null;
			if (fault) faults[name] = fault;
		}
		const commands = { command: this.command, initializer: this.initializer, pre_stop: this.preStop };
		for (const [name, line] of Object.entries(commands)) {
			if (name !== 'command' && !this.on[name as Optional]) continue;
			if (!wordsOf(line)?.[0]) faults[name] = m.fn_command_fault();
		}
		if (this.on.health && !/^\/[!-~]{0,1023}$/.test(this.healthPath)) faults.health = m.fn_health_fault();
		if (this.variables.some((_, index) => variableFault(this.variables, index))) {
			faults.environment = m.fn_env_fault();
		}
		const name = /^[!-.0-~]{1,261}$/;
		if (this.network === 'proxy' && !linesOf(this.allowed).every((host) => name.test(host))) {
			faults.network = m.fn_allowed_fault();
		}
		if (this.bindings.some((_, index) => bindingFault(this.bindings, index))) {
			faults.bindings = m.fn_binding_fault();
		}
		const { mounts } = this;
		if (mounts.some((_, index) => mountFault(mounts, index))) faults.volumes = m.fn_volume_fault();
		const { numbers } = this;
		if (!faults['instances.minimum'] && numbers['instances.minimum'] > numbers['instances.maximum']) {
			faults['instances.minimum'] = m.fn_instances_fault();
		}
		if (!faults['idle.stop_ms'] && numbers['idle.stop_ms'] < numbers['idle.freeze_ms']) {
			faults['idle.stop_ms'] = m.fn_idle_fault();
		}
		return faults;
	}

	#shown(name: NumberName): boolean {
		const part = optional.find((one) => name === one || name.startsWith(`${one}.`));
		return !part || this.on[part];
	}

	#numberFault(name: NumberName): string | null {
		const value = this.numbers[name];
		const [least, most, step] = bounds[name];
		const words = (number: number) => formatNumber(number / scaleOf(name));
		if (!(value >= least && value <= most)) return m.fn_range({ least: words(least), most: words(most) });
		if (Number.isInteger(value / step)) return null;
		return step > 1 ? m.fn_step({ step: words(step) }) : m.fn_whole();
	}
}

/** What two fields are wrong with together stands at one of them. */
const places: Record<string, string> = { instances: 'instances.minimum', idle: 'idle.stop_ms' };

/** What the server says of the fields, under the names that the draft has for them. */
export function faultsOf(problem: Problem | null): Record<string, string> {
	return Object.fromEntries(
		(problem?.fields ?? []).map(({ field, message }) => {
			const name = field.replace(/^settings\./, '');
			return [places[name] ?? name, message];
		})
	);
}
