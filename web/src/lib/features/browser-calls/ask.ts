import type { ProviderModel } from '$lib/api';
import { EventReader } from '$lib/features/stream';
import { AnswerReader, errorText, type FinishReason, type PartKind, type Usage } from './answer';
import { CallFault, fetchOrExplain } from './fault';

/** Where a provider is, and the key for it. */
export interface Connection {
	url: string;
	api_key?: string | null;
}

interface Answered {
	finish: FinishReason;
	usage: Usage | null;
}

/** From the call to its first event; loading a model takes its time. */
const FIRST_MS = 300_000;
const IDLE_MS = 120_000;
/** Of an answer that is not streamed, or of an error. */
const LONGEST_BODY = 16 * 1024 * 1024;

const keyed = ({ api_key }: Connection): Record<string, string> =>
	api_key ? { authorization: `Bearer ${api_key}` } : {};

/** Makes a call from this browser and tells what is said. Throws a {@link CallFault}, or what `signal` was aborted with. */
export async function ask(
	connection: Connection,
	body: string,
	signal: AbortSignal,
	say: (part: PartKind, text: string) => void
): Promise<Answered> {
	const late = new AbortController();
	const answer = new AnswerReader(say);
	let timer = setTimeout(() => late.abort(), FIRST_MS);
	const heard = () => {
		clearTimeout(timer);
		timer = setTimeout(() => late.abort(), IDLE_MS);
	};
	try {
		const response = await fetchOrExplain(connection.url, {
			method: 'POST',
			headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...keyed(connection) },
			body,
			signal: AbortSignal.any([signal, late.signal])
		});
		if (!response.ok) throw await refusal(response);
		await readAnswer(response, answer, heard);
	} catch (caught) {
		if (signal.aborted) throw caught;
		if (late.signal.aborted) throw new CallFault('timed_out');
		throw caught instanceof CallFault ? caught : new CallFault('cut_off');
	} finally {
		clearTimeout(timer);
	}
	answer.end();
	if (!answer.finish) throw new CallFault('cut_off');
	return { finish: answer.finish, usage: answer.usage };
}

/** The models that a provider lists, by name. */
export async function listModels(connection: Connection): Promise<ProviderModel[]> {
	const signal = AbortSignal.timeout(30_000);
	const response = await fetchOrExplain(connection.url, { headers: keyed(connection), signal });
	if (!response.ok) throw await refusal(response);
	let listed: unknown;
	try {
		listed = ((await response.json()) as { data?: unknown } | null)?.data;
	} catch {
		listed = null;
	}
	if (!Array.isArray(listed)) throw new CallFault('protocol');
	const names = listed.map((one: { id?: unknown } | null) => one?.id).filter((id) => typeof id === 'string');
	return [...new Set(names)].map((name) => ({
		name,
		display_name: null,
		context_window: null,
		abilities: [],
		prices: null,
		stand_in: null,
		parameters: null,
		enabled: true
	}));
}

async function refusal(response: Response): Promise<CallFault> {
	const body = await response.text().catch(() => '');
	return new CallFault('refused', `${response.status}: ${errorText(body) || response.statusText}`);
}

/** Reads an answer in OpenAI's protocol, streamed or whole. */
export async function readAnswer(response: Response, answer: AnswerReader, heard: () => void): Promise<void> {
	const streamed = response.headers.get('content-type')?.includes('text/event-stream');
	const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
	if (!reader) throw new CallFault('protocol');
	const events = new EventReader();
	let whole = '';
	for (;;) {
		const { done, value } = await reader.read();
		if (done) break;
		heard();
		if (streamed) {
			for (const event of events.push(value)) answer.take(event.data);
			continue;
		}
		whole += value;
		if (whole.length > LONGEST_BODY) throw new CallFault('protocol');
	}
	if (!streamed) answer.take(whole);
}
