import type { components } from '$lib/api/schema';
import { ask } from './ask';
import type { PartKind } from './answer';
import { CallFault } from './fault';
import { Uploader, type End } from './upload';

type ProviderCall = components['schemas']['ProviderCall'];

interface Running {
	stop: () => Promise<void>;
	abandon: () => void;
}

/** The answers that this tab calls for. */
const running = new Map<string, Running>();

const hidden = () => {
	for (const one of running.values()) one.abandon();
};
/** These answers end with the tab, so that it asks before it goes. */
const leaving = (event: BeforeUnloadEvent) => event.preventDefault();

function note(generation: string, one: Running): void {
	if (running.size === 0) {
		addEventListener('pagehide', hidden);
		addEventListener('beforeunload', leaving);
	}
	running.set(generation, one);
}

function forget(generation: string): void {
	running.delete(generation);
	if (running.size > 0) return;
	removeEventListener('pagehide', hidden);
	removeEventListener('beforeunload', leaving);
}

/**
 * Calls the provider of a turn that is this browser's to answer, and brings what it says to the server. True when it came to its
 * end.
 */
export async function begin(generation: string, call: ProviderCall): Promise<boolean> {
	const aborted = new AbortController();
	const watch = new Stopwatch();
	const upload = new Uploader(generation, () => aborted.abort());
	note(generation, {
		stop: () => {
			const ended = upload.finish({ reason: { kind: 'stopped' }, ...watch.read() });
			aborted.abort();
			return ended;
		},
		abandon: () => {
			upload.abandon();
			aborted.abort();
		}
	});
	try {
		const end = await answer(call, aborted.signal, watch, upload);
		await upload.finish(end);
		return end.reason.kind === 'finished';
	} finally {
		forget(generation);
	}
}

/** Stops an answer that this tab calls for, and keeps what there is of it. False when it is not this tab's. */
export async function stop(generation: string): Promise<boolean> {
	const one = running.get(generation);
	await one?.stop();
	return one !== undefined;
}

async function answer(
	call: ProviderCall,
	signal: AbortSignal,
	watch: Stopwatch,
	upload: Uploader
): Promise<End> {
	const say = (part: PartKind, text: string) => {
		watch.heard(part);
		upload.say(part, text);
	};
	try {
		const { finish, usage } = await ask(call, call.body, signal, say);
		return { reason: { kind: 'finished', reason: finish }, usage, ...watch.read() };
	} catch (caught) {
		if (signal.aborted) return { reason: { kind: 'stopped' }, ...watch.read() };
		const { kind, message } = caught instanceof CallFault ? caught : new CallFault('cut_off', String(caught));
		return { reason: { kind: 'failed', fault: kind, detail: message.slice(0, 900) }, ...watch.read() };
	}
}

class Stopwatch {
	readonly #begun = performance.now();
	#first = 0;
	#thought: [number, number] | null = null;

	heard(part: PartKind): void {
		const now = performance.now();
		this.#first ||= now;
		if (part === 'reasoning') this.#thought = [this.#thought?.[0] ?? now, now];
	}

	read() {
		const [from, to] = this.#thought ?? [0, 0];
		return {
			first_token_ms: this.#first ? Math.max(1, Math.round(this.#first - this.#begun)) : 0,
			total_ms: Math.round(performance.now() - this.#begun),
			reasoning_ms: Math.round(to - from)
		};
	}
}
