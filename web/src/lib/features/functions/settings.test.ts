import { describe, expect, it } from 'vitest';
import { Problem } from '$lib/api';
import { bounds, faultsOf, nearest, SettingsDraft, stopsOf, type NumberName } from './settings.svelte';
import type { FunctionSettings } from './types';

const settings: FunctionSettings = {
	command: ['python3', 'app.py'],
	port: 9000,
	environment: { B: '2', A: '1' },
	cpu_millis: 500,
	memory_mib: 512,
	disk_mib: 512,
	concurrency: 1,
	instances: { minimum: 0, maximum: 10 },
	idle: { freeze_ms: 300_000, stop_ms: 1_800_000 },
	timeouts: { start_ms: 120_000, response_ms: 60_000, silence_ms: 60_000, total_ms: null },
	health: null,
	initializer: { command: ['sh', '-c', 'echo a b'], timeout_ms: 5_000 },
	pre_stop: null,
	stop_grace_ms: 10_000,
	prepared: 0,
	bindings: [{ name: 'db', host: 'db.internal', port: 5432, local_port: 15_432 }],
	volumes: [{ volume: 'data', path: '/data', read_only: true }],
	network: { proxy: { allowed: ['example.com:443'] } },
	isolation: { landlock: true, limits: true, own_user: false }
};

describe('settings that are edited', () => {
	it('are written as they were read', () => {
		const draft = new SettingsDraft(settings);
		expect(draft.settings()).toEqual(settings);
		expect(draft.changed).toBe(false);
		expect(draft.faults()).toEqual({});
	});

	it('keep what they have no fields for', () => {
		const later = { ...settings, from_a_later_server: { a: 1 } };
		expect(new SettingsDraft(later).settings()).toEqual(later);
	});

	it('know what is changed', () => {
		const draft = new SettingsDraft(settings);
		draft.numbers.cpu_millis = 50;
		draft.on.health = true;
		draft.on.initializer = false;
		draft.network = 'none';
		draft.command = 'python3 -u "my app.py"';
		expect(draft.changed).toBe(true);
		expect(draft.settings()).toMatchObject({
			command: ['python3', '-u', 'my app.py'],
			cpu_millis: 50,
			health: { path: '/', period_seconds: 3, timeout_seconds: 1, failures: 3 },
			initializer: null,
			network: 'none'
		});
		expect(draft.faults()).toEqual({});
	});

	it('name what lies outside or between the steps', () => {
		const draft = new SettingsDraft(settings);
		Object.assign(draft.numbers, {
			cpu_millis: 51,
			memory_mib: 64,
			port: 80,
			concurrency: 1.5,
			'timeouts.start_ms': NaN,
			// What is switched off is not looked at.
			'timeouts.total_ms': 0,
			'health.failures': 0,
			'instances.minimum': 11,
			'idle.stop_ms': 1
		});
		draft.initializer = '"open';
		draft.variables = [{ name: '1A', value: '' }];
		draft.bindings.push({ name: '', host: '', port: '', local: '' });
		draft.allowed = 'http://example.com';
		expect(Object.keys(draft.faults()).sort()).toEqual([
			'bindings',
			'concurrency',
			'cpu_millis',
			'environment',
			'idle.stop_ms',
			'initializer',
			'instances.minimum',
			'memory_mib',
			'network',
			'port',
			'timeouts.start_ms'
		]);
	});

	it('are slid through in values that are in order, from the least to the most', () => {
		for (const name of ['cpu_millis', 'memory_mib', 'disk_mib'] as NumberName[]) {
			const [least, most, step] = bounds[name];
			const stops = stopsOf(name);
			expect([stops[0], stops.at(-1)]).toEqual([least, most]);
			expect(stops.every((value) => value % step === 0)).toBe(true);
			expect([...stops].sort((a, b) => a - b)).toEqual(stops);
		}
		expect(stopsOf('cpu_millis').slice(0, 4)).toEqual([50, 100, 150, 200]);
		expect(nearest([50, 100, 400], 260)).toBe(2);
		expect(nearest([50, 100, 400], 0)).toBe(0);
	});

	it('take the faults that the server names', () => {
		const errors = [
			{ field: 'settings.cpu_millis', message: 'too much' },
			{ field: 'command', message: 'none' },
			{ field: 'settings.idle', message: 'too soon' }
		];
		expect(faultsOf(new Problem({ code: 'invalid_fields', errors }))).toEqual({
			cpu_millis: 'too much',
			command: 'none',
			'idle.stop_ms': 'too soon'
		});
		expect(faultsOf(null)).toEqual({});
	});
});
