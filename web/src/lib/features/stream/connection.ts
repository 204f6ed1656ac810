import { backoff } from './backoff';
import { EventReader, type ServerEvent } from './sse';

/** `waiting`: the connection was lost and the next attempt is set. `refused`: nobody is signed in any more. */
export type LinkState = 'idle' | 'connecting' | 'open' | 'waiting' | 'refused';

export interface Transport {
	/** Opens the stream: its bytes, or the status of a refusal. Throws when the server cannot be reached. */
	open(signal: AbortSignal): Promise<ReadableStream<Uint8Array> | number>;
}

export interface Listener {
	state(state: LinkState): void;
	event(event: ServerEvent): void;
}

/** The server sends a comment every 15 s; twice that in silence, and some, is a dead connection. */
const SILENCE_MS = 40_000;
/** The head of the answer comes at once; a request without one for so long was lost on the way. */
const HEAD_MS = 5_000;
/** A connection that held this long starts the backoff from the beginning. */
const STEADY_MS = 5_000;

/** One event stream that comes back by itself: after an error, a silence, a lost network or a restart of the server. */
export class Connection {
	#transport: Transport;
	#listener: Listener;
	#wanted = false;
	#attempt = 0;
	/** The server has answered, and its events are being read. */
	#open = false;
	#retry: ReturnType<typeof setTimeout> | undefined;
	#silence: ReturnType<typeof setTimeout> | undefined;
	#abort: AbortController | null = null;

	constructor(transport: Transport, listener: Listener) {
		this.#transport = transport;
		this.#listener = listener;
	}

	start(): void {
		if (this.#wanted) return;
		this.#wanted = true;
		this.#attempt = 0;
		void this.#run();
	}

	stop(): void {
		this.#wanted = false;
		this.#clear();
		this.#listener.state('idle');
	}

	/** Tries at once instead of waiting for the next attempt: the page is looked at again. */
	wake(): void {
		if (this.#wanted && this.#retry !== undefined) this.#again();
	}

	/** The network is back. An attempt from before that may never be answered, so it is given up for a new one. */
	networkBack(): void {
		if (this.#wanted && !this.#open) this.#again();
	}

	/** Drops the connection and opens another. */
	reopen(): void {
		if (!this.#wanted || !this.#abort) return;
		this.#abort.abort();
	}

	#again(): void {
		this.#attempt = 0;
		this.#clear();
		void this.#run();
	}

	#clear(): void {
		clearTimeout(this.#retry);
		clearTimeout(this.#silence);
		this.#retry = undefined;
		this.#open = false;
		this.#abort?.abort();
		this.#abort = null;
	}

	async #run(): Promise<void> {
		const abort = new AbortController();
		this.#abort = abort;
		this.#listener.state('connecting');
		let opened = 0;
		try {
			this.#watch(abort, HEAD_MS);
			const body = await this.#transport.open(abort.signal);
			if (abort.signal.aborted) throw new Error('given up meanwhile');
			if (body === 401) {
				this.#wanted = false;
				this.#clear();
				this.#listener.state('refused');
				return;
			}
			if (typeof body === 'number') throw new Error(`the event stream answered ${body}`);
			opened = Date.now();
			this.#open = true;
			this.#watch(abort, SILENCE_MS);
			await this.#read(body, abort);
		} catch {
			// Whatever ended the connection, the answer is the same: wait a little and open another.
		}
		if (!this.#wanted || this.#abort !== abort) return;
		clearTimeout(this.#silence);
		this.#open = false;
		if (opened > 0 && Date.now() - opened >= STEADY_MS) this.#attempt = 0;
		this.#listener.state('waiting');
		this.#retry = setTimeout(() => {
			this.#retry = undefined;
			void this.#run();
		}, backoff(this.#attempt));
		this.#attempt += 1;
	}

	async #read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
		const reader = body.getReader();
		// An aborted request ends its body by itself in browsers; this ends it everywhere, and at once.
		abort.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined));
		const decoder = new TextDecoder();
		const events = new EventReader();
		for (;;) {
			const { done, value } = await reader.read();
			if (done || abort.signal.aborted) return;
			this.#watch(abort, SILENCE_MS);
			for (const event of events.push(decoder.decode(value, { stream: true }))) {
				if (this.#abort === abort) this.#listener.event(event);
			}
		}
	}

	#watch(abort: AbortController, patience: number): void {
		clearTimeout(this.#silence);
		this.#silence = setTimeout(() => abort.abort(), patience);
	}
}
