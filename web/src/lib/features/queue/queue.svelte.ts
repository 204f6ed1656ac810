import { Problem } from '$lib/api';
import type { Picture } from '$lib/features/attachments';
import { kept } from './kept';

/** One message that waits for its turn. */
export interface Queued {
	id: string;
	text: string;
	pictures: Picture[];
	model: string;
	/** Who is to answer it, in the place of the assistant of the conversation. */
	assistant?: string;
	/** It is to go as soon as nothing is written, however that ended. */
	now?: boolean;
	/** Which page is sending it. */
	sending?: string;
	/** Why it did not go; it waits for its writer then. */
	problem?: { title: string; code: string };
}

/** Nothing is written and the last answer is whole; it ended otherwise; or one is being written. */
export type Ready = 'well' | 'badly' | 'busy';

/** Pages that have the same conversation open at once tell each other by the storage; so long until they have. */
const OTHERS_MS = 40;
/** Another page that has not finished after this will not. */
const GIVEN_UP_MS = 15_000;
const page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
let made = 0;

function read(conversation: string): Queued[] {
	try {
		const items: unknown = JSON.parse(kept.read(conversation) ?? '[]');
		return Array.isArray(items) ? (items as Queued[]) : [];
	} catch {
		return [];
	}
}

/** The messages that wait in one conversation: kept in this browser, in the order in which they go. */
export class Queue {
	items = $state.raw<Queued[]>([]);
	readonly conversation: string;
	#sending = false;

	constructor(conversation: string) {
		this.conversation = conversation;
		this.items = read(conversation);
		for (const { id, sending } of this.items) if (sending) this.#doubt(id, sending);
	}

	add(text: string, pictures: Picture[], model: string, assistant?: string): void {
		made += 1;
		this.#keep([...this.#fresh(), { id: `${page}-${made}`, text, pictures, model, assistant }]);
	}

	change(id: string, text: string): void {
		this.#set(id, { text, problem: undefined });
	}

	remove(id: string): void {
		this.#keep(this.#fresh().filter((item) => item.id !== id));
	}

	/** Lets one go before all others, as soon as nothing is written. */
	now(id: string): void {
		const items = this.#fresh();
		const wanted = items.find((item) => item.id === id);
		if (!wanted) return;
		const rest = items.filter((item) => item !== wanted);
		this.#keep([{ ...wanted, now: true, problem: undefined }, ...rest]);
	}

	/** Another page has changed something. */
	refresh(): void {
		this.items = read(this.conversation);
	}

	/** Sends the first one if it may go. It leaves the list when it is sent, and never otherwise. */
	async pump(ready: Ready, send: (item: Queued) => Promise<void>): Promise<void> {
		const [first] = this.items;
		if (!first || this.#sending || ready === 'busy' || first.sending) return;
		if (first.problem || (ready === 'badly' && !first.now)) return;
		this.#sending = true;
		try {
			if (!(await this.#claim(first.id))) return;
			try {
				await send(first);
				this.remove(first.id);
			} catch (caught) {
				const { title, code } = Problem.from(caught);
				this.#set(first.id, { sending: undefined, now: undefined, problem: { title, code } });
			}
		} finally {
			this.#sending = false;
		}
	}

	/** Of two pages only one sends. */
	async #claim(id: string): Promise<boolean> {
		const item = this.#fresh().find((item) => item.id === id);
		if (!item || item.sending) return false;
		this.#set(id, { sending: page });
		await new Promise((done) => setTimeout(done, OTHERS_MS));
		return this.#fresh().find((item) => item.id === id)?.sending === page;
	}

	/** A page that was closed while it sent cannot say whether it did. */
	#doubt(id: string, by: string): void {
		setTimeout(() => {
			const still = this.#fresh().find((item) => item.id === id)?.sending === by;
			if (still) this.#set(id, { sending: undefined, problem: { title: '', code: 'unsure' } });
		}, GIVEN_UP_MS);
	}

	#set(id: string, change: Partial<Queued>): void {
		this.#keep(this.#fresh().map((item) => (item.id === id ? { ...item, ...change } : item)));
	}

	#fresh(): Queued[] {
		return kept.read(this.conversation) === null ? this.#unkept : read(this.conversation);
	}

	/** Where nothing can be kept, what is on the page is all there is. */
	#unkept: Queued[] = [];

	#keep(items: Queued[]): void {
		const done = kept.write(this.conversation, items.length > 0 ? JSON.stringify(items) : null);
		this.#unkept = done ? [] : items;
		this.items = items;
	}
}
