import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const answers: Response[] = [];

/** The client takes `fetch` when it is made. */
async function fresh() {
	vi.resetModules();
	vi.stubGlobal('fetch', () => Promise.resolve(answers.shift()));
	vi.stubGlobal(
		'Request',
		class extends Request {
			constructor(input: string, init?: RequestInit) {
				super(new URL(input, 'http://stoa.test'), init);
			}
		}
	);
	const { onUnauthenticated } = await import('$lib/api');
	const { TrialChat } = await import('./chat.svelte');
	return { onUnauthenticated, TrialChat, ...(await import('./trial')) };
}

let modules: Awaited<ReturnType<typeof fresh>>;
beforeEach(async () => {
	modules = await fresh();
});

const own = (body: string, type: string, status = 200, more: Record<string, string> = {}) =>
	new Response(body, {
		status,
		headers: { 'content-type': type, 'x-stoa-version': '2', 'x-stoa-instance': 'i', ...more }
	});
const event = (delta: unknown, finish: string | null = null) =>
	`data: ${JSON.stringify({ choices: [{ delta, finish_reason: finish }] })}\n\n`;
const request = { target: 'latest', method: 'GET', path: '/', headers: [], body: '' };
const signal = new AbortController().signal;

afterEach(() => {
	answers.splice(0);
	vi.unstubAllGlobals();
});

describe('a call to a function', () => {
	it('gives back whatever the function answers, also 401, which is no lost session', async () => {
		const lost = vi.fn();
		modules.onUnauthenticated(lost);
		answers.push(own('who are you', 'text/plain', 401, { 'x-stoa-cold-start': '93' }));
		const { head, response } = await modules.tryFunction('f', request, signal);
		expect(head).toMatchObject({ status: 401, version: '2', instance: 'i', coldStart: 93 });
		expect(head.headers).toEqual([['content-type', 'text/plain']]);
		expect(await response.text()).toBe('who are you');
		expect(lost).not.toHaveBeenCalled();
	});

	it('throws what Stoa itself says, with the end of the log', async () => {
		const body = {
			code: 'function_start_failed',
			detail: 'it does not start',
			hint: 'it ended',
			log: 'Traceback'
		};
		answers.push(new Response(JSON.stringify(body), { status: 502 }));
		await expect(modules.tryFunction('f', request, signal)).rejects.toMatchObject({
			code: 'function_start_failed',
			detail: 'it ended',
			log: 'Traceback'
		});
	});

	it('takes headers a line each', () => {
		expect(modules.headersOf('Accept: text/plain\n\n x-a :b: c ')).toEqual([
			['Accept', 'text/plain'],
			['x-a', 'b: c']
		]);
		expect(modules.headersOf('')).toEqual([]);
		expect(modules.headersOf('no header')).toBeNull();
	});
});

describe('a chat with a function', () => {
	it('grows by what is streamed', async () => {
		const chat = new modules.TrialChat();
		const body = event({ role: 'assistant' }) + event({ content: 'Hel' }) + event({ content: 'lo' }, 'stop');
		answers.push(own(`${body}data: [DONE]\n\n`, 'text/event-stream; charset=utf-8'));
		await chat.send('f', 'f', 'latest', 'Hi');
		expect(chat.problem).toBeNull();
		expect(chat.said.map(({ role, content }) => [role, content])).toEqual([
			['user', 'Hi'],
			['assistant', 'Hello']
		]);
		expect(chat.said[1]?.head?.version).toBe('2');
	});

	it('takes an answer in one piece', async () => {
		const chat = new modules.TrialChat();
		const whole = { choices: [{ message: { content: 'All at once' }, finish_reason: 'stop' }] };
		answers.push(own(JSON.stringify(whole), 'application/json'));
		await chat.send('f', 'f', 'latest', 'Hi');
		expect(chat.said[1]?.content).toBe('All at once');
	});

	it('says what is wrong: a status, another protocol, an answer without its end', async () => {
		const chat = new modules.TrialChat();
		answers.push(own('{"error": "no"}', 'application/json', 500));
		await chat.send('f', 'f', 'latest', 'one');
		expect(chat.problem).toMatchObject({ code: 'function_status', detail: '500: {"error": "no"}' });
		answers.push(own('<html>', 'text/html'));
		await chat.send('f', 'f', 'latest', 'two');
		expect(chat.problem).toMatchObject({ code: 'function_protocol', detail: '<html>' });
		answers.push(own(event({ content: 'Half' }), 'text/event-stream'));
		await chat.send('f', 'f', 'latest', 'three');
		expect(chat.problem?.code).toBe('function_cut_off');
		expect(chat.said.at(-1)?.content).toBe('Half');
	});
});
