import { call, client, Problem, type AnyAssistant, type Assistant, type SharedAssistant } from '$lib/api';

/** The assistants of whoever is signed in, in their order, and those that others share. What changes them comes with the pages that do. */
class Assistants {
	items = $state.raw<Assistant[]>([]);
	/** What others share. */
	others = $state.raw<SharedAssistant[]>([]);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	#loading: Promise<void> | null = null;

	/** Reads the list; calls at the same time share one request. */
	load(): Promise<void> {
		this.#loading ??= this.#read().finally(() => (this.#loading = null));
		return this.#loading;
	}

	/** Anybody one may talk to. */
	find(id: string | null | undefined): AnyAssistant | undefined {
		return [...this.items, ...this.others].find((assistant) => assistant.id === id);
	}

	async #read(): Promise<void> {
		try {
			const [own, others] = await Promise.all([
				call(client.GET('/api/v1/assistants')),
				call(client.GET('/api/v1/assistants/shared'))
			]);
			this.items = own.items;
			this.others = others.items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}
}

export const assistants = new Assistants();
