import { call, client, Problem, type Message } from '$lib/api';
import { hub, type LiveGeneration } from '$lib/features/stream';
import { reply } from './made';
import { callFor, type Thread } from './thread.svelte';
import { showBranch } from './turns';

/** More would be too narrow to be read. */
const MOST = 4;

export interface Column {
	message: Message;
	generation: LiveGeneration | null;
}

/** Answers to one question side by side: those that are there, and those that more models are asked for. */
export class Comparison {
	columns = $state.raw<readonly Column[]>([]);
	problem = $state.raw<Problem | null>(null);
	asking = $state(false);
	readonly full = $derived(this.columns.length >= MOST);
	readonly #thread: Thread;
	readonly #answer: Message;
	readonly #leaves: (() => void)[] = [];
	/** The branch that is shown is no longer the one that was. */
	#moved = false;

	constructor(thread: Thread, answer: Message) {
		this.#thread = thread;
		this.#answer = answer;
		this.columns = [{ message: answer, generation: null }];
		if (answer.siblings.length > 1) void this.#readOthers();
	}

	/** Has one more model answer the same question. */
	async add(model: string): Promise<void> {
		this.asking = true;
		this.problem = null;
		try {
			const path = { id: this.#answer.id };
			const body = { model, parameters: this.#thread.settings.parameters };
			const turn = await call(client.POST('/api/v1/messages/{id}/regenerate', { params: { path }, body }));
			callFor(turn);
			this.#moved = true;
			const { conversation_id, assistant_id } = this.#answer;
			this.#put(reply(turn, conversation_id, turn.message_id, model, assistant_id));
		} catch (caught) {
			this.problem = Problem.from(caught);
		} finally {
			this.asking = false;
		}
	}

	/** Goes on with this answer; the others stay as versions beside it. */
	async keep(id: string): Promise<void> {
		await showBranch(this.#thread, id);
		this.#moved = false;
	}

	/** Nothing is shown any more. Where none was kept, the conversation goes on with the answer that it had. */
	async close(): Promise<void> {
		for (const leave of this.#leaves) leave();
		if (this.#moved) await showBranch(this.#thread, this.#answer.id);
	}

	#put(message: Message): void {
		const id = message.generation_id;
		const running = message.status === 'running' && id !== null;
		const followed = running ? hub.follow(id, (outcome) => void this.#ended(message.id, outcome)) : null;
		if (followed) this.#leaves.push(followed.leave);
		this.columns = [...this.columns, { message, generation: followed?.generation ?? null }];
	}

	async #ended(id: string, outcome: Parameters<Parameters<typeof hub.follow>[1]>[0]): Promise<void> {
		try {
			const told = outcome.kind === 'gone' ? null : outcome.message;
			const message = told ?? (await this.#read(id));
			this.columns = this.columns.map((column) =>
				column.message.id === id ? { message, generation: null } : column
			);
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}

	async #readOthers(): Promise<void> {
		const others = this.#answer.siblings.filter((id) => id !== this.#answer.id).slice(1 - MOST);
		try {
			for (const message of await Promise.all(others.map((id) => this.#read(id)))) this.#put(message);
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}

	async #read(id: string): Promise<Message> {
		const params = { path: { id: this.#answer.conversation_id }, query: { around: id, leaf: id, limit: 1 } };
		const { items } = await call(client.GET('/api/v1/conversations/{id}/messages', { params }));
		const message = items.find((one) => one.id === id);
		if (!message) throw new Problem({ code: 'not_found' }, 404);
		return message;
	}
}
