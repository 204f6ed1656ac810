import { call, client, Problem, type Model } from '$lib/api';
import { m } from '$lib/i18n';

const lastUsed = 'stoa-model';

function remembered(): string | null {
	try {
		return localStorage.getItem(lastUsed);
	} catch {
		return null;
	}
}

/** The models that may be used, as the server lists them now. */
class Catalogue {
	models = $state.raw<Model[]>([]);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	/** Chooses the model of the conversation that is on the page, if there is one. */
	switch = $state.raw<((id: string) => void) | null>(null);
	#preferred = $state(remembered());
	#loading: Promise<void> | null = null;

	/** Reads the list; calls at the same time share one request. */
	load(): Promise<void> {
		this.#loading ??= this.#read().finally(() => (this.#loading = null));
		return this.#loading;
	}

	find(id: string | null | undefined): Model | undefined {
		return id ? this.models.find((model) => model.id === id) : undefined;
	}

	/** The model a turn uses when nothing else was chosen: the wanted one, the last one used, or the first. */
	choose(wanted: string | null | undefined): string | null {
		return (this.find(wanted) ?? this.find(this.#preferred) ?? this.models[0])?.id ?? null;
	}

	/** The same for a turn that is to begin, when the list may still be on its way. Throws a {@link Problem} when there is none. */
	async need(chosen: () => string | null): Promise<string> {
		if (!this.loaded) await this.load();
		const id = chosen();
		if (id) return id;
		throw this.problem ?? new Problem({ title: m.no_model(), code: 'no_model' });
	}

	/** Keeps a choice for the next new conversation. */
	prefer(id: string): void {
		this.#preferred = id;
		try {
			localStorage.setItem(lastUsed, id);
		} catch {
			// Without storage the choice holds until the page is closed.
		}
	}

	async #read(): Promise<void> {
		try {
			this.models = (await call(client.GET('/api/v1/models'))).items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}
}

export const catalogue = new Catalogue();

/** The name to show: the display name if the administrator gave one. */
export function modelName(id: string | null | undefined): string {
	if (!id) return '';
	const model = catalogue.find(id);
	return model ? (model.display_name ?? model.name) : id.slice(id.indexOf('/') + 1);
}
