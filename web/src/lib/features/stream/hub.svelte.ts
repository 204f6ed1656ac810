import { call, client, Problem, reportUnauthenticated } from '$lib/api';
import { Connection, type LinkState } from './connection';
import { type ConversationEvent, type GenerationEvents, isGenerationEvent } from './events';
import { LiveGeneration, type Outcome } from './generation.svelte';
import type { ServerEvent } from './sse';

/** The server holds no such stream any more, although the connection may still look alive. */
const STREAM_GONE = 'stream_gone';

type EndHandler = (outcome: Outcome, generation: LiveGeneration) => void;

interface Followed {
	generation: LiveGeneration;
	readers: Set<EndHandler>;
	subscribed: boolean;
}

/** The longest wait between two flushes; in a tab that is not looked at, animation frames stop. */
const LONGEST_FLUSH_MS = 250;

/** The one event stream of this tab, shared by all views: who follows what, and one flush a frame for all of it. */
class StreamHub {
	state = $state<LinkState>('idle');
	#wasOpen = $state(false);
	/** The connection was there once and is not now, or could not be made at all. */
	readonly lost = $derived(this.state === 'waiting' || (this.state === 'connecting' && this.#wasOpen));
	#stream: string | null = null;
	/** Ends what is being asked for this stream. Once it is lost, the answer may never come, and nothing may wait for it. */
	#asking = new AbortController();
	#followed = new Map<string, Followed>();
	#leaving = new Set<string>();
	#dirty = new Set<LiveGeneration>();
	#flushing = false;
	#syncing = false;
	#conversationHandlers = new Set<(event: ConversationEvent) => void>();
	#missedHandlers = new Set<() => void>();
	#connection = new Connection(
		{
			open: async (signal) => {
				// Past the browser's cache, which would let one tab wait for what another has asked at the same address.
				const { data, response } = await client.GET('/api/v1/events', {
					parseAs: 'stream',
					cache: 'no-store',
					signal
				});
				return response.ok && data ? (data as ReadableStream<Uint8Array>) : response.status;
			}
		},
		{ state: (state) => this.#moved(state), event: (event) => this.#received(event) }
	);

	/** Opens the stream for as long as somebody is signed in; the answer closes it. */
	start(): () => void {
		const back = () => this.#connection.networkBack();
		const seen = () => document.visibilityState === 'visible' && this.#connection.wake();
		const drop = () => this.#connection.reopen();
		addEventListener('online', back);
		addEventListener('offline', drop);
		document.addEventListener('visibilitychange', seen);
		this.#connection.start();
		return () => {
			removeEventListener('online', back);
			removeEventListener('offline', drop);
			document.removeEventListener('visibilitychange', seen);
			this.#connection.stop();
			this.#wasOpen = false;
		};
	}

	/** Follows a generation until it ends or the returned function is called. `ended` is told once. */
	follow(id: string, ended: EndHandler): { generation: LiveGeneration; leave: () => void } {
		let followed = this.#followed.get(id);
		if (!followed) {
			followed = { generation: new LiveGeneration(id), readers: new Set(), subscribed: false };
			this.#followed.set(id, followed);
			this.#leaving.delete(id);
			this.#sync();
		}
		const { generation, readers } = followed;
		readers.add(ended);
		return {
			generation,
			leave: () => {
				readers.delete(ended);
				if (readers.size > 0 || this.#followed.get(id)?.generation !== generation) return;
				this.#followed.delete(id);
				this.#leaving.add(id);
				this.#sync();
			}
		};
	}

	/** Calls back on every change of the list of conversations, from whatever tab or device. */
	onConversation(handler: (event: ConversationEvent) => void): () => void {
		this.#conversationHandlers.add(handler);
		return () => this.#conversationHandlers.delete(handler);
	}

	/** Calls back when changes may have been missed: the stream was lost and is back, or it could not keep up. */
	onMissed(handler: () => void): () => void {
		this.#missedHandlers.add(handler);
		return () => this.#missedHandlers.delete(handler);
	}

	#moved(state: LinkState): void {
		this.state = state;
		// `open` comes with the first event.
		this.#stream = null;
		this.#asking.abort();
		if (state === 'refused') reportUnauthenticated();
	}

	#received({ name, data }: ServerEvent): void {
		const body: unknown = JSON.parse(data);
		if (name === 'stream') this.#opened((body as { id: string }).id);
		else if (name === 'resync') this.#missed();
		else if (name === 'signed_out') reportUnauthenticated();
		else if (name === 'conversation') {
			for (const handler of this.#conversationHandlers) handler(body as ConversationEvent);
		} else if (isGenerationEvent(name)) {
			this.#grew(name, body as GenerationEvents[typeof name]);
		}
	}

	#opened(id: string): void {
		const again = this.#wasOpen;
		this.#stream = id;
		this.#asking = new AbortController();
		this.#wasOpen = true;
		this.state = 'open';
		this.#leaving.clear();
		for (const followed of this.#followed.values()) {
			followed.subscribed = false;
			followed.generation.reopened();
		}
		this.#sync();
		if (again) this.#missed();
	}

	/** Changes went by unheard: what is shown has to be read again. */
	#missed(): void {
		for (const handler of this.#missedHandlers) handler();
	}

	#grew<Name extends keyof GenerationEvents>(name: Name, event: GenerationEvents[Name]): void {
		const followed = this.#followed.get(event.generation_id);
		if (!followed) return;
		const gap = followed.generation.take(name, event);
		this.#touch(followed.generation);
		if (gap) {
			// The server sends from where it is asked to only for a new subscription.
			followed.subscribed = false;
			this.#leaving.add(event.generation_id);
			this.#sync();
		}
	}

	#touch(generation: LiveGeneration): void {
		this.#dirty.add(generation);
		if (this.#flushing) return;
		this.#flushing = true;
		const frame = requestAnimationFrame(() => flush());
		const timer = setTimeout(() => flush(), LONGEST_FLUSH_MS);
		const flush = () => {
			cancelAnimationFrame(frame);
			clearTimeout(timer);
			this.#flushing = false;
			this.#flush();
		};
	}

	#flush(): void {
		const dirty = [...this.#dirty];
		this.#dirty.clear();
		for (const generation of dirty) {
			if (!generation.publish() || !generation.outcome) continue;
			const followed = this.#followed.get(generation.id);
			if (followed?.generation !== generation) continue;
			this.#followed.delete(generation.id);
			for (const ended of followed.readers) ended(generation.outcome, generation);
		}
	}

	/** Brings the server's subscriptions to what is followed here; all calls of one moment become one request. */
	#sync(): void {
		if (this.#syncing) return;
		this.#syncing = true;
		queueMicrotask(async () => {
			await this.#subscribe();
			this.#syncing = false;
			const rest = [...this.#followed.values()].some((followed) => !followed.subscribed);
			if (this.#stream && (rest || this.#leaving.size > 0)) this.#sync();
		});
	}

	async #subscribe(): Promise<void> {
		const stream = this.#stream;
		if (!stream) return;
		const wanted = [...this.#followed].filter(([, followed]) => !followed.subscribed);
		for (const [, followed] of wanted) followed.subscribed = true;
		const leaving = [...this.#leaving];
		this.#leaving.clear();
		try {
			if (leaving.length > 0) await this.#post(stream, [], leaving);
			await this.#post(stream, wanted, []);
		} catch (caught) {
			const { status, code } = Problem.from(caught);
			if (status === 404 && code !== STREAM_GONE) await this.#oneByOne(stream, wanted);
			else if (this.#stream === stream) this.#connection.reopen();
		}
	}

	/** One unknown generation refuses the whole request, so each is asked for alone and the unknown ones are let go. */
	async #oneByOne(stream: string, wanted: [string, Followed][]): Promise<void> {
		for (const entry of wanted) {
			try {
				await this.#post(stream, [entry], []);
			} catch (caught) {
				const { status, code } = Problem.from(caught);
				if (status !== 404 || code === STREAM_GONE) {
					if (this.#stream === stream) this.#connection.reopen();
					return;
				}
				if (this.#stream !== stream) return;
				entry[1].generation.gone();
				this.#touch(entry[1].generation);
			}
		}
	}

	async #post(stream: string, wanted: [string, Followed][], leaving: string[]): Promise<void> {
		if (wanted.length === 0 && leaving.length === 0) return;
		const after = Object.fromEntries(
			wanted.map(([id, { generation }]) => [id, generation.log.seq]).filter(([, seq]) => seq !== 0)
		) as Record<string, number>;
		const body =
			leaving.length > 0 ? { unsubscribe: leaving } : { subscribe: wanted.map(([id]) => id), after };
		const { signal } = this.#asking;
		await call(
			client.POST('/api/v1/events/{stream}/subscriptions', { params: { path: { stream } }, body, signal })
		);
	}
}

export const hub = new StreamHub();
