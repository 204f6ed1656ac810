import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import { call, client, Problem, type Conversation, type Message, type Parameters, type Turn } from '$lib/api';
import { assistants } from '$lib/features/assistants';
import type { Picture } from '$lib/features/attachments';
import { conversations } from '$lib/features/conversations';
import { TurnSettings } from '$lib/features/parameters';
import { hub, type ConversationEvent, type LiveGeneration, type Outcome } from '$lib/features/stream';
import { reply, userMessage } from './made';
import { sentParts } from './parts';

const PAGE = 50;
/** How long to wait before asking again about an answer that neither grows nor has ended. */
const UNSETTLED_MS = 1_500;

interface Live {
	generation: LiveGeneration;
	leave: () => void;
}

/** Where a thread is to begin. */
export interface Origin {
	message: string;
	/** What stands above the message belongs to it. */
	withContext: boolean;
}

/** The model that new conversations of a project begin with. */
async function modelOf(project: string): Promise<string | null> {
	const { projects } = await import('$lib/features/projects');
	await projects.load();
	return projects.find(project)?.model ?? null;
}

/** The answers that this tab itself calls for, once there has been one. */
let ownCalls: Promise<typeof import('$lib/features/browser-calls')> | null = null;

/** Calls the provider of a turn that only this browser reaches, and for the title of a conversation that begins with it. */
export function callFor(turn: Turn, begins: string | null = null): void {
	const { call: wanted, generation_id } = turn;
	if (!wanted) return;
	ownCalls ??= import('$lib/features/browser-calls');
	void ownCalls.then(async (calls) => {
		if ((await calls.begin(generation_id, wanted)) && begins) await calls.title(begins);
	});
}

/** One conversation on the page: the messages of the branch that is shown, and the answers growing in it. */
export class Thread {
	id = $state<string | null>(null);
	messages = $state.raw<Message[]>([]);
	hasOlder = $state(false);
	/** The end of the branch, when what is shown stops before it: somebody was led to a message far above. */
	end = $state<string | null>(null);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	/** A turn is being handed to the server. */
	posting = $state(false);
	loadingOlder = $state(false);
	/** Why what lies above could not be read. */
	olderProblem = $state.raw<Problem | null>(null);
	readonly settings = new TurnSettings();
	readonly live = new SvelteMap<string, Live>();
	readonly last = $derived(this.messages.at(-1));
	readonly running = $derived(this.last?.status === 'running' || this.posting);
	/** The answer that others are to be held against. */
	comparing = $state.raw<Message | null>(null);
	/** Messages that were taken out on this page. */
	readonly takenOut = new SvelteSet<string>();
	/** Counts up when the reader's own act put something at the end, so that the view goes there. */
	sent = $state(0);
	#active = false;
	#reading: Promise<void> | null = null;
	#asking: AbortController | null = null;
	#readAgain = false;
	/** The time of the last summary that is shown. */
	#summarisedAt: Conversation['summarised_at'] = null;
	#anew = false;
	/** Counts turns as they begin and as they end: what was asked for before either does not know of it. */
	#turns = 0;

	/** Whom a new conversation is to be with. */
	#wanted = $state<string | null>(null);
	readonly assistantId = $derived(this.id ? (this.conversation?.assistant_id ?? null) : this.#wanted);
	/** One that was deleted is nobody: the conversation goes on without it. */
	readonly assistant = $derived(assistants.find(this.assistantId));

	/** The last turn was refused, for the assistant is no longer shared. */
	deserted = $state(false);
	/** A new conversation is to be a temporary one. */
	temporary = $state(false);

	/** The message that a thread begins at, until it is made. */
	origin = $state.raw<Origin | null>(null);
	/** It hangs on a message of another conversation. */
	readonly aside = $derived(this.origin !== null || Boolean(this.conversation?.thread));

	/** In which project a new conversation is made. */
	readonly project: string | null;

	constructor(id: string | null, assistant: string | null = null, project: string | null = null) {
		this.id = id;
		this.#wanted = assistant;
		this.project = project;
	}

	get conversation(): Conversation | undefined {
		return this.id ? conversations.get(this.id) : undefined;
	}

	/** Puts the thread on the page and keeps it fresh until the returned function is called. */
	enter(): () => void {
		this.#active = true;
		const seen = () => this.#markRead();
		document.addEventListener('visibilitychange', seen);
		const stopMissed = hub.onMissed(() => {
			// What was asked for over the lost connection may never be answered.
			this.#asking?.abort();
			void this.read();
		});
		const stopEvents = hub.onConversation((event) => {
			if (event.conversation.id !== this.id) {
				this.#besides(event);
				return;
			}
			if (event.kind === 'deleted') {
				void this.read();
				return;
			}
			const { conversation } = event;
			this.settings.take(conversation);
			this.#markRead();
			const elsewhere = conversation.leaf_id !== null && conversation.leaf_id !== (this.end ?? this.last?.id);
			const started = conversation.generating && this.last?.status !== 'running';
			const summed = conversation.summarised_at !== this.#summarisedAt;
			if (this.loaded && !this.posting && (elsewhere || started || summed || this.problem)) void this.read();
		});
		if (this.id || this.#wanted || this.project) void this.read();
		else this.loaded = true;
		return () => {
			this.#active = false;
			document.removeEventListener('visibilitychange', seen);
			stopMissed();
			stopEvents();
			void this.settings.flush();
			for (const { leave } of this.live.values()) leave();
			this.live.clear();
		};
	}

	/** Shows at its message how a thread of this conversation is now. */
	#besides(event: ConversationEvent): void {
		const { id } = event.conversation;
		const here =
			event.kind === 'deleted'
				? this.messages.some(({ threads }) => threads.some((one) => one.id === id))
				: event.conversation.thread?.conversation_id === this.id;
		if (here) void import('./side').then(({ take }) => take(this, event));
	}

	/** Reads the conversation and the end of its branch; calls meanwhile lead to one more reading. */
	read(): Promise<void> {
		if (this.#reading) {
			this.#readAgain = true;
			return this.#reading;
		}
		this.#reading = this.#readOnce().finally(() => {
			this.#reading = null;
			this.#catchUp();
		});
		return this.#reading;
	}

	/** Reads what a reading or a turn has left to be read again. */
	#catchUp(): void {
		if (!this.#readAgain || !this.#active || this.#reading || this.posting) return;
		this.#readAgain = false;
		void this.read();
	}

	async loadOlder(): Promise<void> {
		const first = this.messages[0];
		if (!this.id || !first || !this.hasOlder || this.loadingOlder) return;
		this.loadingOlder = true;
		try {
			const query = { before: first.id, leaf: this.end ?? this.last?.id, limit: PAGE };
			const page = await call(
				client.GET('/api/v1/conversations/{id}/messages', { params: { path: { id: this.id }, query } })
			);
			if (this.messages[0]?.id !== first.id) return;
			this.messages = [...page.items, ...this.messages];
			this.hasOlder = page.has_more;
			this.olderProblem = null;
		} catch (caught) {
			this.olderProblem = Problem.from(caught);
		} finally {
			this.loadingOlder = false;
		}
	}

	/** Reads the end of the branch in the place of everything that is shown. */
	readAnew(): Promise<void> {
		this.#anew = true;
		return this.read();
	}

	/** Shows the end of the branch again. */
	toEnd(): Promise<void> {
		this.end = null;
		return this.read();
	}

	/** Sends a message after the last one. Throws a {@link Problem}, and then nothing was sent. */
	async send(
		text: string,
		model: string,
		pictures: readonly Picture[] = [],
		assistant: string | null = null
	): Promise<string> {
		if (this.end) await this.toEnd();
		return this.turn(async () => {
			const parameters = assistants.find(assistant)?.parameters ?? this.settings.parameters;
			const id = this.id ?? (await this.#create());
			const parent = this.last?.id ?? null;
			const waiting = userMessage(`sending:${id}`, id, parent, text, pictures);
			const before = this.messages;
			this.messages = [...before, waiting];
			this.sent += 1;
			try {
				const turn = await this.post(id, parent ?? undefined, waiting, model, parameters, assistant);
				const mine = { ...waiting, id: turn.message_id, siblings: [turn.message_id] };
				this.show([...before, mine], turn, model, [turn.reply_id], assistant);
			} catch (caught) {
				this.messages = before;
				throw caught;
			}
			return id;
		});
	}

	/** Stops the answer that is being written. What was written stays. */
	async stop(): Promise<void> {
		const id = this.last?.generation_id;
		if (this.last?.status !== 'running' || !id || (await (await ownCalls)?.stop(id))) return;
		await call(client.DELETE('/api/v1/generations/{id}', { params: { path: { id } } }));
	}

	/** Hands a turn to the server, while nothing else is read. */
	async turn<T>(act: () => Promise<T>): Promise<T> {
		this.posting = true;
		this.deserted = false;
		this.#turns += 1;
		try {
			return await act();
		} catch (caught) {
			const problem = Problem.from(caught);
			this.deserted = problem.code === 'assistant_gone';
			throw problem;
		} finally {
			this.posting = false;
			this.#turns += 1;
			this.#catchUp();
		}
	}

	async #create(): Promise<string> {
		const { origin } = this;
		const made = await call(
			origin
				? client.POST('/api/v1/messages/{id}/threads', {
						params: { path: { id: origin.message } },
						body: { with_context: origin.withContext }
					})
				: client.POST('/api/v1/conversations', {
						body: {
							assistant_id: this.assistant?.id,
							project_id: this.project ?? undefined,
							temporary: this.temporary
						}
					})
		);
		this.id = made.id;
		conversations.put(made);
		this.settings.take(made);
		await this.settings.flush();
		return made.id;
	}

	/** Posts a message of the reader, for an answer of this model, and of this assistant in the place of the usual one. */
	post(
		id: string,
		parent: string | null | undefined,
		message: Message,
		model: string,
		parameters: Parameters,
		assistant: string | null = null
	): Promise<Turn> {
		const body = {
			...(parent === undefined ? {} : { parent_id: parent }),
			parts: sentParts(message.parts),
			model,
			parameters,
			...(assistant ? { assistant_id: assistant } : {})
		};
		return call(client.POST('/api/v1/conversations/{id}/messages', { params: { path: { id } }, body }));
	}

	/** What stands above a message. */
	upTo(id: string): Message[] {
		const index = this.messages.findIndex((message) => message.id === id);
		return index < 0 ? this.messages : this.messages.slice(0, index);
	}

	/** Shows a turn that has begun at the end of this path. */
	show(
		path: Message[],
		turn: Turn,
		model: string,
		siblings = [turn.reply_id],
		assistant: string | null = null
	): void {
		callFor(turn, path.length === 1 && !this.conversation?.temporary_until ? this.id : null);
		const id = this.id ?? '';
		const answer = { ...reply(turn, id, turn.message_id, model, assistant), siblings };
		this.end = null;
		this.messages = [...path, answer];
		this.sent += 1;
		this.follow(answer);
	}

	async #readOnce(): Promise<void> {
		const id = this.id;
		if (!id) return this.#meet();
		const { signal } = (this.#asking = new AbortController());
		const turns = this.#turns;
		try {
			const path = { id };
			const query = { limit: PAGE };
			const [conversation, page] = await Promise.all([
				call(client.GET('/api/v1/conversations/{id}', { params: { path }, signal })),
				call(client.GET('/api/v1/conversations/{id}/messages', { params: { path, query }, signal }))
			]);
			// What is being posted changes the path.
			if (this.posting || turns !== this.#turns) {
				this.#readAgain = true;
				return;
			}
			conversations.put(conversation);
			this.settings.take(conversation);
			this.#summarisedAt = conversation.summarised_at;
			// Whoever reads far above the end stays there.
			if (!this.end || this.end !== page.leaf_id) {
				const first = this.#anew ? undefined : page.items[0]?.id;
				const join = this.messages.findIndex((message) => message.id === first);
				this.#anew = false;
				if (join < 0) this.hasOlder = page.has_more;
				this.messages = join > 0 ? [...this.messages.slice(0, join), ...page.items] : page.items;
				this.end = null;
			}
			this.problem = null;
			this.loaded = true;
			if (!this.#active) return;
			for (const message of this.messages) if (message.status === 'running') this.follow(message);
			this.#markRead();
		} catch (caught) {
			if (!signal.aborted) this.problem = Problem.from(caught);
		}
	}

	/** Reads about whom a new conversation is to be with, and begins as the server will. */
	async #meet(): Promise<void> {
		await assistants.load();
		this.problem = assistants.loaded ? null : assistants.problem;
		if (!assistants.loaded) return;
		const { model = null, parameters = {} } = this.assistant ?? {};
		const project = this.project ? await modelOf(this.project) : null;
		if (!this.assistant) this.#wanted = null;
		if ((this.assistant || project) && !this.loaded) {
			this.settings.begin({ role: '', model: model ?? project, parameters });
		}
		this.loaded = true;
	}

	/** Lets an answer grow on the page. */
	follow(message: Message): void {
		const id = message.generation_id;
		const known = this.live.get(message.id);
		if (!id || known?.generation.id === id) return;
		known?.leave();
		const { generation, leave } = hub.follow(id, (outcome) => this.#ended(message.id, outcome));
		this.live.set(message.id, { generation, leave });
	}

	#ended(messageId: string, outcome: Outcome): void {
		const done = outcome.kind === 'gone' ? null : outcome.message;
		if (done) {
			// It may have been read before what stood beside it was taken out.
			const siblings = done.siblings.filter((id) => !this.takenOut.has(id));
			const ended = { ...done, siblings };
			this.messages = this.messages.map((message) => (message.id === messageId ? ended : message));
			this.live.delete(messageId);
			this.#markRead();
			return;
		}
		// The text stays on the page until the message as it was kept has been read.
		void this.read().then(() => {
			this.live.delete(messageId);
			const still = this.messages.find((message) => message.id === messageId)?.status === 'running';
			if (still) setTimeout(() => this.#active && void this.read(), UNSETTLED_MS);
		});
	}

	#markRead(): void {
		if (!this.#active || !this.id || document.visibilityState !== 'visible') return;
		if (this.conversation?.unread) conversations.markRead(this.id).catch(() => undefined);
	}
}
