import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { client } from '$lib/api';
import { Uploader } from './upload';

interface Body {
	first_seq: number;
	deltas: { part: string; text: string }[];
	end?: { reason: { kind: string } };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Stands in for the server; `answer` may refuse an upload by its number. */
function serve(answer: (upload: number, body: Body) => { status: number; running?: boolean }) {
	const bodies: Body[] = [];
	let count = 0;
	vi.spyOn(client, 'POST').mockImplementation(((_path: string, init: { body: Body }) => {
		const body = structuredClone(init.body);
		bodies.push(body);
		const { status, running } = answer(count++, body);
		const response = new Response(null, { status });
		if (status >= 400) return Promise.resolve({ error: { code: 'x' }, response });
		const data = { last_seq: body.first_seq + body.deltas.length - 1, running: running ?? !body.end };
		return Promise.resolve({ data, response });
	}) as never);
	return bodies;
}

const textOf = (bodies: Body[]) => {
	const bySeq = new Map<number, string>();
	for (const { first_seq, deltas } of bodies) {
		for (const [place, { text }] of deltas.entries()) bySeq.set(first_seq + place, text);
	}
	return [...bySeq.entries()].sort(([one], [other]) => one - other).map(([, text]) => text);
};

it('brings everything in order, in few pieces, and then the end', async () => {
	const bodies = serve(() => ({ status: 200 }));
	const over = vi.fn();
	const upload = new Uploader('g', over);
	for (const word of ['a', 'b', 'c', 'd']) upload.say('text', word);
	upload.say('reasoning', 'e');
	const done = upload.finish({ reason: { kind: 'stopped' } });
	await vi.runAllTimersAsync();
	await done;
	expect(textOf(bodies)).toEqual(['a', 'bcd', 'e']);
	expect(bodies.at(-1)?.end?.reason.kind).toBe('stopped');
	expect(over).toHaveBeenCalledOnce();
});

it('sends again what a server that restarts did not answer, under the same number', async () => {
	const bodies = serve((upload) => ({ status: upload === 0 ? 503 : 200 }));
	const upload = new Uploader('g', () => undefined);
	upload.say('text', 'a');
	upload.say('text', 'b');
	const done = upload.finish({ reason: { kind: 'stopped' } });
	await vi.runAllTimersAsync();
	await done;
	expect(bodies.slice(0, 2).map(({ first_seq }) => first_seq)).toEqual([1, 1]);
	expect(textOf(bodies)).toEqual(['a', 'b']);
});

it('gives up when the answer has ended elsewhere, and says so', async () => {
	serve(() => ({ status: 200, running: false }));
	const over = vi.fn();
	const upload = new Uploader('g', over);
	upload.say('text', 'a');
	await vi.advanceTimersByTimeAsync(10);
	expect(over).toHaveBeenCalledOnce();
	expect(upload.closed).toBe(true);
	await upload.finish({ reason: { kind: 'stopped' } });
});

it('shows that it lives while nothing is said', async () => {
	const bodies = serve(() => ({ status: 200 }));
	const upload = new Uploader('g', () => undefined);
	await vi.advanceTimersByTimeAsync(30_000);
	expect(bodies.length).toBe(2);
	expect(bodies.every(({ deltas, end }) => deltas.length === 0 && !end)).toBe(true);
	upload.abandon();
	expect(bodies.at(-1)?.end?.reason.kind).toBe('interrupted');
	await vi.advanceTimersByTimeAsync(30_000);
	expect(bodies.length).toBe(3);
});

it('never cuts a character in two', async () => {
	const bodies = serve(() => ({ status: 200 }));
	const upload = new Uploader('g', () => undefined);
	const long = 'x' + '😀'.repeat(40_000);
	upload.say('text', long);
	const done = upload.finish({ reason: { kind: 'stopped' } });
	await vi.runAllTimersAsync();
	await done;
	expect(textOf(bodies).join('')).toBe(long);
	expect(textOf(bodies).every((piece) => piece.isWellFormed())).toBe(true);
});
