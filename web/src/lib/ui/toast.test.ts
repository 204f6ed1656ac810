import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Toasts } from './toast.svelte';

describe('notices', () => {
	beforeEach(() => vi.useFakeTimers());
	afterEach(() => vi.useRealTimers());

	it('leave by themselves, later when there is something to press', () => {
		const toasts = new Toasts();
		toasts.show('Saved');
		toasts.show('Deleted', { action: { label: 'Undo', run: () => undefined } });
		vi.advanceTimersByTime(4000);
		expect(toasts.items.map((toast) => toast.text)).toEqual(['Deleted']);
		vi.advanceTimersByTime(4000);
		expect(toasts.items).toEqual([]);
	});

	it('stay while held and start their time anew when released', () => {
		const toasts = new Toasts();
		toasts.show('Saved');
		toasts.hold();
		vi.advanceTimersByTime(60_000);
		expect(toasts.items).toHaveLength(1);
		toasts.release();
		vi.advanceTimersByTime(3999);
		expect(toasts.items).toHaveLength(1);
		vi.advanceTimersByTime(1);
		expect(toasts.items).toEqual([]);
	});

	it('are three at most, the newest ones', () => {
		const toasts = new Toasts();
		for (const text of ['a', 'b', 'c', 'd']) toasts.show(text);
		expect(toasts.items.map((toast) => toast.text)).toEqual(['b', 'c', 'd']);
	});

	it('are not held for ever when the last one is dismissed under the pointer', () => {
		const toasts = new Toasts();
		const id = toasts.show('Saved');
		toasts.hold();
		toasts.dismiss(id);
		toasts.show('Again');
		vi.advanceTimersByTime(4000);
		expect(toasts.items).toEqual([]);
	});
});
