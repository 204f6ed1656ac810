import { call, client, Problem, type Conversation, type SearchHit } from '$lib/api';

/** Typing on replaces the question; the server is asked when the fingers rest. */
const REST_MS = 150;
const PAGE = 20;
const RECENT = 30;

/** One line of what was found: a conversation by its title, or a message of one. */
export interface Found {
	key: string;
	href: string;
	title: string;
	/** What was looked for is in here; without one, the conversation is only one of the latest. */
	hit: SearchHit | null;
	at: string;
}

const ofConversation = ({ id, title, updated_at }: Conversation): Found => ({
	key: id,
	href: `/c/${id}`,
	title,
	hit: null,
	at: updated_at
});

/** Threads are opened beside their conversation. */
function hrefOf({ conversation_id, thread_of, message_id }: SearchHit): string {
	const query = new URLSearchParams({
		...(thread_of ? { thread: conversation_id } : {}),
		...(message_id ? { message: message_id } : {})
	}).toString();
	return `/c/${thread_of ?? conversation_id}${query && `?${query}`}`;
}

const ofHit = (hit: SearchHit): Found => ({
	key: hit.message_id ?? hit.conversation_id,
	href: hrefOf(hit),
	title: hit.conversation_title,
	hit,
	at: hit.at
});

/** What the server finds for what is being typed; the latest conversations while nothing is. */
export class Results {
	items = $state.raw<Found[]>([]);
	/** What the items answer; null before anything was answered. */
	words = $state<string | null>(null);
	/** Everything that was ever written can be found. */
	complete = $state(true);
	busy = $state(false);
	problem = $state.raw<Problem | null>(null);
	#next = $state<string | null>(null);
	readonly more = $derived(this.#next !== null);
	#abort: AbortController | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Asks once the fingers rest; what was asked before is given up. The space at an end says that a word is whole. */
	ask(typed: string): void {
		this.stop();
		this.busy = true;
		const abort = (this.#abort = new AbortController());
		this.#timer = setTimeout(() => void this.#read(typed, abort), typed.trim() ? REST_MS : 0);
	}

	stop(): void {
		clearTimeout(this.#timer);
		this.#abort?.abort();
		this.busy = false;
	}

	/** Forgets what was found. */
	clear(): void {
		this.stop();
		this.items = [];
		this.words = null;
		this.problem = null;
		this.#next = null;
	}

	async loadMore(): Promise<void> {
		const cursor = this.#next;
		const abort = this.#abort;
		if (!cursor || this.busy || !abort || this.words === null) return;
		this.busy = true;
		await this.#page(this.words, abort, cursor);
	}

	async #read(typed: string, abort: AbortController): Promise<void> {
		if (typed.trim()) return this.#page(typed, abort);
		await this.#during(abort, async (signal) => {
			const query = { limit: RECENT };
			const { items } = await call(client.GET('/api/v1/conversations', { params: { query }, signal }));
			return () => {
				this.items = items.map(ofConversation);
				this.#next = null;
				this.words = typed;
			};
		});
	}

	async #page(typed: string, abort: AbortController, cursor?: string): Promise<void> {
		await this.#during(abort, async (signal) => {
			const query = { q: typed.trimStart(), limit: PAGE, cursor };
			const page = await call(client.GET('/api/v1/search', { params: { query }, signal }));
			return () => {
				const found = page.items.map(ofHit);
				this.items = cursor ? [...this.items, ...found] : found;
				this.#next = page.next_cursor;
				this.complete = page.complete;
				this.words = typed;
			};
		});
		// A page may be empty and have a next: what was looked for is rare and its words are not.
		if (!abort.signal.aborted && !this.problem && this.items.length === 0) await this.loadMore();
	}

	async #during(abort: AbortController, read: (signal: AbortSignal) => Promise<() => void>): Promise<void> {
		try {
			const show = await read(abort.signal);
			if (abort.signal.aborted) return;
			show();
			this.problem = null;
		} catch (caught) {
			if (abort.signal.aborted) return;
			this.problem = Problem.from(caught);
		}
		this.busy = false;
	}
}
