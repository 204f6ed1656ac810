import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Conversation } from '$lib/api';

const change = vi.fn();
vi.mock('$lib/features/conversations', () => ({ conversations: { change } }));
const { TurnSettings } = await import('./settings.svelte');

const conversation = (fields: Partial<Conversation> = {}): Conversation =>
	({ id: 'c', role: '', parameters: {}, model: null, ...fields }) as Conversation;

describe('the settings of a turn', () => {
	beforeEach(() => {
		vi.useFakeTimers();
		change.mockReset();
		change.mockResolvedValue(conversation());
	});
	afterEach(() => void vi.useRealTimers());

	it('are saved once, when they rest', async () => {
		const settings = new TurnSettings();
		settings.take(conversation());
		for (const value of [0.1, 0.2, 0.3]) settings.setParameter('temperature', value);
		settings.setParameter('top_p', 0.9);
		settings.setParameter('top_p', null);
		await vi.advanceTimersByTimeAsync(1_000);
		expect(change.mock.calls).toEqual([['c', { parameters: { temperature: 0.3 } }]]);
	});

	it('wait for the conversation to be made', async () => {
		const settings = new TurnSettings();
		settings.setRole('Be brief.');
		await vi.advanceTimersByTimeAsync(1_000);
		expect(change).not.toHaveBeenCalled();
		settings.take(conversation());
		expect(settings.role).toBe('Be brief.');
		await settings.flush();
		expect(change.mock.calls).toEqual([['c', { role: 'Be brief.' }]]);
	});

	it('are not put back by what the stream says while they are on their way', async () => {
		let saved: (answer: Conversation) => void = () => undefined;
		change.mockReturnValue(new Promise((resolve) => (saved = resolve)));
		const settings = new TurnSettings();
		settings.take(conversation());
		settings.setParameter('temperature', 0.7);
		const flushing = settings.flush();
		settings.take(conversation({ role: 'From another tab.' }));
		expect(settings.parameters).toEqual({ temperature: 0.7 });
		expect(settings.role).toBe('From another tab.');
		saved(conversation({ parameters: { temperature: 0.7 } }));
		await flushing;
		settings.take(conversation({ parameters: { temperature: 1 } }));
		expect(settings.parameters).toEqual({ temperature: 1 });
	});

	it('stay unsaved and say why when the server refuses, and can be tried again', async () => {
		change.mockRejectedValueOnce(new TypeError('Failed to fetch'));
		const settings = new TurnSettings();
		settings.take(conversation());
		settings.setRole('x');
		await settings.flush();
		expect(settings.problem?.code).toBe('unreachable');
		await settings.flush();
		expect(settings.problem).toBeNull();
		expect(change).toHaveBeenCalledTimes(2);
	});
});
