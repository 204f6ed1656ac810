import { call, client, Problem, type Assistant } from '$lib/api';

/** The assistants of whoever is signed in, in their order. What changes them comes with the pages that do. */
class Assistants {
	items = $state.raw<Assistant[]>([]);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	#loading: Promise<void> | null = null;

	/** Reads the list; calls at the same time share one request. */
	load(): Promise<void> {
		this.#loading ??= this.#read().finally(() => (this.#loading = null));
		return this.#loading;
	}

	find(id: string | null | undefined): Assistant | undefined {
		return this.items.find((assistant) => assistant.id === id);
	}

	async #read(): Promise<void> {
		try {
			this.items = (await call(client.GET('/api/v1/assistants'))).items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}
}

export const assistants = new Assistants();
