import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Problem } from '$lib/api';
import { buildAgain, readBuild } from './api';
import { BuildWatch } from './build.svelte';
import type { Build } from './types';

vi.mock('./api', () => ({ buildAgain: vi.fn(), readBuild: vi.fn() }));
const build = (state: Build['state'], started_at: string | null = null): Build => ({
	state,
	reason: null,
	started_at,
	again_at: null,
	lines: []
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('looks often while something is being installed, seldom otherwise, and not at all when nobody sees it', async () => {
	vi.mocked(readBuild).mockResolvedValue(build('running'));
	const watch = new BuildWatch('f');
	const stop = watch.start();
	await vi.advanceTimersByTimeAsync(2_500);
	expect(readBuild).toHaveBeenCalledTimes(3);
	expect(watch.busy).toBe(true);
	vi.mocked(readBuild).mockResolvedValue(build('done'));
	await vi.advanceTimersByTimeAsync(1_000);
	expect([watch.busy, vi.mocked(readBuild).mock.calls.length]).toEqual([false, 4]);
	await vi.advanceTimersByTimeAsync(3_000);
	expect(readBuild).toHaveBeenCalledTimes(4);
	stop();
	await vi.advanceTimersByTimeAsync(60_000);
	expect(readBuild).toHaveBeenCalledTimes(4);
});

it('goes on after a failure', async () => {
	vi.mocked(readBuild).mockReset().mockRejectedValueOnce(new Error('gone')).mockResolvedValue(build('none'));
	const watch = new BuildWatch('f');
	const stop = watch.start();
	await vi.advanceTimersByTimeAsync(4_500);
	expect(watch.build?.state).toBe('none');
	stop();
});

it('asks for it again, and looks until it has begun', async () => {
	vi.mocked(readBuild).mockReset().mockResolvedValue(build('failed', 'before'));
	const watch = new BuildWatch('f');
	const stop = watch.start();
	await vi.advanceTimersByTimeAsync(0);
	await watch.again();
	expect([watch.asked, vi.mocked(buildAgain).mock.calls]).toEqual([true, [['f']]]);
	await vi.advanceTimersByTimeAsync(1_000);
	expect([watch.asked, vi.mocked(readBuild).mock.calls.length]).toEqual([true, 3]);
	vi.mocked(readBuild).mockResolvedValue(build('running', 'now'));
	await vi.advanceTimersByTimeAsync(1_000);
	expect([watch.asked, watch.busy]).toEqual([false, true]);
	vi.mocked(buildAgain).mockRejectedValueOnce(new Problem({ code: 'functions_unavailable' }));
	await watch.again();
	expect([watch.asked, watch.problem?.code]).toEqual([false, 'functions_unavailable']);
	stop();
});
