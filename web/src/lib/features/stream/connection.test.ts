import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backoff } from './backoff';
import { Connection, type LinkState } from './connection';

const encoder = new TextEncoder();

function server() {
	const opened: { send: (text: string) => void; close: () => void; signal: AbortSignal }[] = [];
	const answers: ('ok' | 'unreachable' | 'nothing' | number)[] = [];
	let attempts = 0;
	return {
		opened,
		answers,
		get attempts() {
			return attempts;
		},
		open: async (signal: AbortSignal) => {
			attempts += 1;
			const answer = answers.shift() ?? 'ok';
			if (answer === 'nothing') {
				await new Promise((_, reject) =>
					signal.addEventListener('abort', () => reject(signal.reason as Error))
				);
			}
			if (answer === 'unreachable') throw new TypeError('Failed to fetch');
			if (typeof answer === 'number') return answer;
			return new ReadableStream<Uint8Array>({
				start(controller) {
					signal.addEventListener('abort', () => controller.error(signal.reason));
					opened.push({
						signal,
						send: (text) => controller.enqueue(encoder.encode(text)),
						close: () => controller.close()
					});
				}
			});
		}
	};
}

describe('the connection', () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	function connect() {
		const upstream = server();
		const states: LinkState[] = [];
		const events: string[] = [];
		const connection = new Connection(upstream, {
			state: (state) => states.push(state),
			event: ({ name, data }) => events.push(`${name} ${data}`)
		});
		return { upstream, states, events, connection };
	}

	it('reads events, and letters cut between two pieces', async () => {
		const { upstream, events, connection } = connect();
		connection.start();
		await vi.advanceTimersByTimeAsync(0);
		const bytes = encoder.encode('event: a\ndata: 网\n\n');
		upstream.opened[0]?.send('');
		await vi.advanceTimersByTimeAsync(0);
		upstream.opened[0]?.send(new TextDecoder().decode(bytes));
		await vi.advanceTimersByTimeAsync(0);
		expect(events).toEqual(['a 网']);
		connection.stop();
	});

	it('comes back after an end, a refusal and an unreachable server', async () => {
		const { upstream, states, connection } = connect();
		upstream.answers.push('ok', 503, 'unreachable', 'ok');
		connection.start();
		await vi.advanceTimersByTimeAsync(0);
		upstream.opened[0]?.close();
		await vi.advanceTimersByTimeAsync(30_000);
		expect(upstream.opened).toHaveLength(2);
		expect(states.filter((state) => state === 'waiting')).toHaveLength(3);
		connection.stop();
	});

	it('does not wait when it is woken', async () => {
		const { upstream, connection } = connect();
		upstream.answers.push('unreachable', 'ok');
		connection.start();
		await vi.advanceTimersByTimeAsync(1);
		expect(upstream.opened).toHaveLength(0);
		connection.wake();
		await vi.advanceTimersByTimeAsync(1);
		expect(upstream.opened).toHaveLength(1);
		connection.wake();
		await vi.advanceTimersByTimeAsync(1);
		expect(upstream.opened).toHaveLength(1);
		connection.stop();
	});

	it('takes silence for a dead connection', async () => {
		const { upstream, connection } = connect();
		connection.start();
		await vi.advanceTimersByTimeAsync(30_000);
		upstream.opened[0]?.send(': \n\n');
		await vi.advanceTimersByTimeAsync(30_000);
		expect(upstream.opened).toHaveLength(1);
		await vi.advanceTimersByTimeAsync(15_000);
		expect(upstream.opened).toHaveLength(2);
		connection.stop();
	});

	it('gives up a request that nobody answers', async () => {
		const { upstream, connection } = connect();
		upstream.answers.push('nothing', 'ok');
		connection.start();
		await vi.advanceTimersByTimeAsync(4_000);
		expect(upstream.attempts).toBe(1);
		await vi.advanceTimersByTimeAsync(2_000);
		expect(upstream.opened).toHaveLength(1);
		// The one that was given up takes nothing from the one that came after it.
		await vi.advanceTimersByTimeAsync(39_000);
		expect(upstream.opened).toHaveLength(1);
		await vi.advanceTimersByTimeAsync(2_000);
		expect(upstream.opened).toHaveLength(2);
		connection.stop();
	});

	it('tries anew at once when the network is back, and leaves a connection that is there', async () => {
		const { upstream, connection } = connect();
		upstream.answers.push('nothing', 'ok');
		connection.start();
		await vi.advanceTimersByTimeAsync(10);
		connection.networkBack();
		await vi.advanceTimersByTimeAsync(1);
		expect(upstream.opened).toHaveLength(1);
		connection.networkBack();
		await vi.advanceTimersByTimeAsync(1);
		expect(upstream.attempts).toBe(2);
		expect(upstream.opened[0]?.signal.aborted).toBe(false);
		connection.stop();
	});

	it('stops for good when nobody is signed in, and when it is told to', async () => {
		const { upstream, states, connection } = connect();
		upstream.answers.push(401);
		connection.start();
		await vi.advanceTimersByTimeAsync(60_000);
		expect(states).toEqual(['connecting', 'refused']);
		connection.start();
		await vi.advanceTimersByTimeAsync(0);
		connection.stop();
		await vi.advanceTimersByTimeAsync(60_000);
		expect(upstream.opened).toHaveLength(1);
		expect(upstream.opened[0]?.signal.aborted).toBe(true);
		expect(states.at(-1)).toBe('idle');
	});
});

describe('the backoff', () => {
	it('doubles up to a quarter of a minute and leaves half to chance', () => {
		expect(backoff(0, () => 0)).toBe(250);
		expect(backoff(0, () => 1)).toBe(500);
		expect(backoff(3, () => 1)).toBe(4_000);
		expect(backoff(99, () => 1)).toBe(15_000);
	});
});
