import type { Message, Usage } from '$lib/api';
import type { FinishReason, GenerationEvents, StreamProblem } from './events';
import { GenerationLog, type LivePart } from './log';

/** How a generation ended for this tab. `gone`: the server does not know it any more, so the message has to be read. */
export type Outcome =
	| { kind: 'finished'; reason: FinishReason; message: Message | null }
	| { kind: 'failed'; problem: StreamProblem; message: Message | null }
	| { kind: 'gone' };

/** One generation that this tab follows: its log, and what the page shows of it, published once a frame. */
export class LiveGeneration {
	readonly id: string;
	readonly log = new GenerationLog();
	parts = $state.raw<readonly LivePart[]>([]);
	usage = $state.raw<Usage | null>(null);
	/** How many are before it in the line for its model, if it waits there. */
	ahead = $state.raw<number | null>(null);
	outcome = $state.raw<Outcome | null>(null);
	#usage: Usage | null = null;
	#ahead: number | null = null;
	#outcome: Outcome | null = null;
	#resyncing = false;

	constructor(id: string) {
		this.id = id;
	}

	get ended(): boolean {
		return this.#outcome !== null;
	}

	/** Takes an event in. The answer is true when the log has to be read again from `log.seq`. */
	take<Name extends keyof GenerationEvents>(name: Name, event: GenerationEvents[Name]): boolean {
		if (this.#outcome) return false;
		switch (name) {
			case 'queued':
				this.#ahead = (event as GenerationEvents['queued']).ahead;
				return false;
			case 'delta':
				this.#ahead = null;
				return this.#joined(this.log.delta(event as GenerationEvents['delta']));
			case 'rewind':
				return this.#joined(this.log.rewind((event as GenerationEvents['rewind']).seq));
			case 'snapshot': {
				const { seq, parts } = event as GenerationEvents['snapshot'];
				const said = parts.filter((part) => part.type !== 'image');
				return this.#joined(this.log.snapshot(seq, said));
			}
			case 'usage': {
				const { generation_id: _id, ...usage } = event as GenerationEvents['usage'];
				this.#usage = usage;
				return false;
			}
			case 'finish': {
				const { reason, message } = event as GenerationEvents['finish'];
				this.#outcome = { kind: 'finished', reason, message: message ?? null };
				return false;
			}
			case 'error': {
				const { problem, message } = event as GenerationEvents['error'];
				this.#outcome = { kind: 'failed', problem, message: message ?? null };
				return false;
			}
			default:
				return false;
		}
	}

	/** The server does not know this generation any more. */
	gone(): void {
		this.#outcome ??= { kind: 'gone' };
	}

	/** Shows what has been taken in. The answer is true once, when the end is shown. */
	publish(): boolean {
		this.parts = [...this.log.parts];
		this.usage = this.#usage;
		this.ahead = this.#ahead;
		if (!this.#outcome || this.outcome) return false;
		this.outcome = this.#outcome;
		return true;
	}

	/** A gap asks for the log once; what arrives before the answer to that must not ask again. */
	#joined(applied: 'applied' | 'known' | 'gap'): boolean {
		if (applied === 'applied') this.#resyncing = false;
		if (applied !== 'gap' || this.#resyncing) return false;
		this.#resyncing = true;
		return true;
	}

	/** The connection was lost: what comes next is asked for from the start of the gap anyway. */
	reopened(): void {
		this.#resyncing = false;
	}
}
