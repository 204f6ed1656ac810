import { call, client, Problem } from '$lib/api';
import type { components } from '$lib/api/schema';
import type { PartKind } from './answer';

type Schemas = components['schemas'];
export type End = Schemas['UploadedEnd'];
type Delta = Schemas['UploadedDelta'];

/** Uploads follow each other no faster. */
const PAUSE_MS = 60;
/** The server gives a silent browser up after more than a minute. */
const ALIVE_MS = 12_000;
const PATIENCE_MS = 60_000;
const RETRY_MS = 1_000;
/** Code units of one upload, far below what the server takes at once. */
const PIECE = 32 * 1024;
/** Browsers let 64 KiB outlive a page. */
const LAST_WORDS = 12 * 1024;

/** Brings an answer to the server in order, each piece once, as fast as the server takes them. */
export class Uploader {
	readonly #generation: string;
	readonly #over: () => void;
	#waiting: Delta[] = [];
	/** On their way, and perhaps there. */
	#sending: Delta[] = [];
	#sentSeq = 0;
	#working: Promise<void> | null = null;
	#end: End | null = null;
	#alive: ReturnType<typeof setInterval>;
	/** The server wants no more of it. */
	closed = false;

	/** `over` is called when the server says that the answer has ended, whoever ended it. */
	constructor(generation: string, over: () => void) {
		this.#generation = generation;
		this.#over = over;
		this.#alive = setInterval(() => this.#work(true), ALIVE_MS);
	}

	/** Adds to the answer. */
	say(part: PartKind, text: string): void {
		const last = this.#waiting.at(-1);
		if (last?.part === part && last.text.length + text.length <= PIECE) last.text += text;
		else for (const piece of pieces(text)) this.#waiting.push({ part, text: piece });
		this.#work();
	}

	/** Ends the answer; resolves when the server has it, or wants no more. */
	async finish(end: End): Promise<void> {
		this.#end ??= end;
		for (;;) {
			await this.#working;
			if (this.closed) return;
			this.#work(true);
		}
	}

	/** The page goes away: what can still be said is said in one request that outlives it. */
	abandon(): void {
		if (this.closed) return;
		this.#close();
		const rest = [...this.#sending, ...this.#waiting];
		const size = (count: number) => rest.slice(0, count).reduce((sum, { text }) => sum + text.length, 0);
		let count = rest.length;
		while (size(count) > LAST_WORDS) count -= 1;
		const deltas = rest.slice(0, count);
		const body = { first_seq: this.#sentSeq + 1, deltas, end: { reason: { kind: 'interrupted' as const } } };
		void client.POST('/api/v1/generations/{id}/deltas', {
			params: { path: { id: this.#generation } },
			body,
			keepalive: true
		});
	}

	#close(): void {
		this.closed = true;
		clearInterval(this.#alive);
	}

	#work(even = false): void {
		if (this.closed || this.#working || (!even && this.#waiting.length === 0)) return;
		this.#working = this.#send().finally(() => {
			this.#working = null;
			if (this.#waiting.length > 0) this.#work();
		});
	}

	async #send(): Promise<void> {
		const deltas = (this.#sending = this.#waiting.splice(0, 1));
		const end = this.#end && this.#waiting.length === 0 ? this.#end : undefined;
		const body = { first_seq: this.#sentSeq + 1, deltas, ...(end ? { end } : {}) };
		const path = { id: this.#generation };
		const given = Date.now();
		for (;;) {
			try {
				const kept = await call(client.POST('/api/v1/generations/{id}/deltas', { params: { path }, body }));
				this.#sentSeq += deltas.length;
				this.#sending = [];
				if (!kept.running) this.#give();
				break;
			} catch (caught) {
				const { status } = Problem.from(caught);
				// A server that restarts is worth waiting for; one that refuses is not.
				if ((status !== 0 && status < 500) || Date.now() - given > PATIENCE_MS) {
					this.#give();
					return;
				}
				await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
				if (this.closed) return;
			}
		}
		if (!this.closed && !this.#end) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}

	#give(): void {
		if (this.closed) return;
		this.#close();
		this.#over();
	}
}

function* pieces(text: string): Generator<string> {
	for (let at = 0; at < text.length;) {
		let end = Math.min(at + PIECE, text.length);
		// A character outside the basic plane is two code units.
		if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1] ?? '')) end -= 1;
		yield text.slice(at, end);
		at = end;
	}
}
