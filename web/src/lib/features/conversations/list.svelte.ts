import { SvelteMap } from 'svelte/reactivity';
import { call, client, Problem, type Conversation } from '$lib/api';
import { hub, type ConversationEvent } from '$lib/features/stream';
import { group, type Group } from './groups';

const PAGE = 50;

/** Which conversations a list has; all that are not in the archive when nothing is said. */
export interface Which {
	assistant?: string;
	project?: string;
	tag?: string;
	archived?: boolean;
}

type Change = Partial<
	Pick<
		Conversation,
		'title' | 'pinned' | 'model' | 'parameters' | 'role' | 'leaf_id' | 'project_id' | 'tags' | 'auto_summary'
	>
> & {
	/** A temporary one becomes one like all others. */
	keep?: boolean;
};

/** Conversations, all or some: pages of the server's list, kept fresh by the event stream. */
class ConversationList {
	#items = new SvelteMap<string, Conversation>();
	#now = $state(new Date());
	loading = $state(false);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	#next = $state<string | null>(null);
	/** Those elsewhere than in this list's place, archive or not, are only known: somebody looks at one of them. */
	readonly groups: Group[] = $derived(
		group(
			[...this.#items.values()].filter(
				({ archived, temporary_until }) => archived === this.#archived && !temporary_until
			),
			this.#now
		)
	);
	readonly more = $derived(this.#next !== null);
	readonly empty = $derived(this.loaded && this.groups.length === 0);
	/** Deleted here a moment ago: an event that was under way must not bring it back. */
	#deleted = new Set<string>();
	/** For each reading that is under way: what was heard of meanwhile, and is newer than what it brings. */
	#heard = new Set<Set<string>>();

	readonly #which: Which;
	readonly #archived: boolean;

	constructor(which: Which = {}) {
		this.#which = which;
		this.#archived = which.archived ?? false;
	}

	/** Loads the first page and follows changes, until the returned function is called. */
	start(): () => void {
		void this.refresh();
		const stopEvents = hub.onConversation((event) => this.#changed(event));
		const stopMissed = hub.onMissed(() => void this.refresh());
		const clock = setInterval(() => (this.#now = new Date()), 60_000);
		return () => {
			stopEvents();
			stopMissed();
			clearInterval(clock);
		};
	}

	get(id: string): Conversation | undefined {
		return this.#items.get(id);
	}

	/** Reads the newest page again; what is further down stays until it is scrolled to. */
	async refresh(): Promise<void> {
		this.loading = true;
		const heard = new Set<string>();
		this.#heard.add(heard);
		try {
			const [page, pinned] = await Promise.all([
				call(client.GET('/api/v1/conversations', { params: { query: { ...this.#which, limit: PAGE } } })),
				call(
					client.GET('/api/v1/conversations', {
						params: { query: { ...this.#which, limit: 100, pinned: true } }
					})
				)
			]);
			const oldest = Date.parse(page.items.at(-1)?.updated_at ?? '') || 0;
			const fresh = new Set([...heard, ...[...page.items, ...pinned.items].map(({ id }) => id)]);
			for (const [id, { updated_at, archived, temporary_until }] of this.#items) {
				// It is in no list, and known to whoever has it open.
				if (temporary_until) continue;
				const inReach = !page.next_cursor || Date.parse(updated_at) >= oldest;
				if (inReach && archived === this.#archived && !fresh.has(id)) this.#items.delete(id);
			}
			for (const item of [...pinned.items, ...page.items]) if (!heard.has(item.id)) this.#put(item);
			if (!this.loaded) this.#next = page.next_cursor ?? null;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		} finally {
			this.#heard.delete(heard);
			this.loading = false;
		}
	}

	async loadMore(): Promise<void> {
		const cursor = this.#next;
		if (!cursor || this.loading) return;
		this.loading = true;
		try {
			const page = await call(
				client.GET('/api/v1/conversations', {
					params: { query: { ...this.#which, limit: PAGE, cursor } }
				})
			);
			for (const item of page.items) this.#put(item);
			this.#next = page.next_cursor ?? null;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		} finally {
			this.loading = false;
		}
	}

	/** Shows a conversation that this tab has made or read. */
	put(conversation: Conversation): void {
		this.#deleted.delete(conversation.id);
		this.#put(conversation);
	}

	/** Changes a conversation, here at once and on the server; put back when the server refuses. */
	async change(id: string, change: Change): Promise<Conversation> {
		const before = this.#items.get(id);
		if (before) this.#items.set(id, { ...before, ...change });
		try {
			const body = change as Omit<Change, 'model' | 'leaf_id' | 'project_id'> & {
				model?: string;
				leaf_id?: string;
				project_id?: string;
			};
			const after = await call(
				client.PATCH('/api/v1/conversations/{id}', { params: { path: { id } }, body })
			);
			this.#put(after);
			return after;
		} catch (caught) {
			if (before) this.#items.set(id, before);
			throw Problem.from(caught);
		}
	}

	/** Deletes a conversation; {@link restore} undoes it. */
	async remove(id: string): Promise<void> {
		const before = this.#items.get(id);
		this.#deleted.add(id);
		this.#items.delete(id);
		try {
			await call(client.DELETE('/api/v1/conversations/{id}', { params: { path: { id } } }));
		} catch (caught) {
			this.#deleted.delete(id);
			if (before) this.#items.set(id, before);
			throw Problem.from(caught);
		}
	}

	async restore(id: string): Promise<void> {
		this.put(await call(client.POST('/api/v1/conversations/{id}/restore', { params: { path: { id } } })));
	}

	/** The reader has seen the newest answer. */
	async markRead(id: string): Promise<void> {
		const before = this.#items.get(id);
		if (before && !before.unread) return;
		if (before) this.#items.set(id, { ...before, unread: false });
		await call(client.POST('/api/v1/conversations/{id}/read', { params: { path: { id } } }));
	}

	#put(conversation: Conversation): void {
		if (this.#deleted.has(conversation.id)) return;
		const { assistant, project, tag } = this.#which;
		const elsewhere =
			(assistant && conversation.assistant_id !== assistant) ||
			(project && conversation.project_id !== project) ||
			(tag && !conversation.tags.includes(tag));
		if (elsewhere) {
			this.#items.delete(conversation.id);
			return;
		}
		for (const heard of this.#heard) heard.add(conversation.id);
		this.#items.set(conversation.id, conversation);
	}

	#changed(event: ConversationEvent): void {
		if (event.kind === 'deleted') this.#items.delete(event.conversation.id);
		else if (event.kind === 'created') this.put(event.conversation);
		else this.#put(event.conversation);
	}
}

export const conversations = new ConversationList();

/** A list of its own, for a page that shows only some. */
export const conversationsOf = (which: Which) => new ConversationList(which);

export type Listed = typeof conversations;
