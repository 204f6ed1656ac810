import { call, client, type CheckResult, type Provider, type ProviderModel } from '$lib/api';

export interface ProviderChange {
	name?: string;
	base_url?: string;
	api_key?: string | null;
	enabled?: boolean;
}

/** What is done to a provider: to one of everybody's by the server, to one of one's own partly by this browser. */
export interface ProviderDoor {
	update(id: string, change: ProviderChange): Promise<Provider>;
	putModels(id: string, models: ProviderModel[]): Promise<Provider>;
	/** Adds the models that it lists. */
	fetchModels(provider: Provider): Promise<Provider>;
	check(provider: Provider, model: string | null): Promise<CheckResult>;
}

/** Providers of everybody's. */
const shared: ProviderDoor = {
	update: (id, body) => call(client.PATCH('/api/v1/providers/{id}', { params: { path: { id } }, body })),
	putModels: (id, models) =>
		call(client.PUT('/api/v1/providers/{id}/models', { params: { path: { id } }, body: { models } })),
	fetchModels: ({ id }) =>
		call(client.POST('/api/v1/providers/{id}/models/fetch', { params: { path: { id } } })),
	check: ({ id }, model) =>
		call(
			client.POST('/api/v1/providers/{id}/check', { params: { path: { id } }, body: model ? { model } : {} })
		)
};

type Change = (models: ProviderModel[]) => ProviderModel[];

/**
 * One provider being edited. Changes of its models are sent as the whole list, so they go one after another, each on top
 * of what the server last said; a refused one is taken back.
 */
export class ProviderEditor {
	provider: Provider = $state.raw() as Provider;
	#confirmed: Provider;
	#tail: Promise<unknown> = Promise.resolve();
	#waiting: Change[] = [];
	readonly #door: ProviderDoor;

	constructor(provider: Provider, door: ProviderDoor = shared) {
		this.#door = door;
		this.#confirmed = provider;
		this.provider = provider;
	}

	/** Replaces what is known, with changes on their way laid on top. */
	accept(provider: Provider): void {
		this.#confirmed = provider;
		this.#show();
	}

	async update(change: ProviderChange): Promise<void> {
		this.accept(await this.#door.update(this.provider.id, change));
	}

	check(model: string | null): Promise<CheckResult> {
		return this.#door.check(this.provider, model);
	}

	async fetchModels(): Promise<number> {
		const before = this.provider.models.length;
		this.accept(await this.#door.fetchModels(this.provider));
		return this.provider.models.length - before;
	}

	/** Applies a change in view at once and sends it; throws, with the change undone, when the server refuses. */
	async changeModels(change: Change): Promise<void> {
		this.#waiting.push(change);
		this.#show();
		const turn = this.#tail.then(() => this.#send(change));
		this.#tail = turn.catch(() => undefined);
		await turn;
	}

	async #send(change: Change) {
		const base = this.#confirmed;
		try {
			this.#confirmed = await this.#door.putModels(base.id, change(base.models));
		} finally {
			this.#waiting = this.#waiting.filter((one) => one !== change);
			this.#show();
		}
	}

	#show() {
		const base = this.#confirmed;
		this.provider = {
			...base,
			models: this.#waiting.reduce((models, change) => change(models), base.models)
		};
	}
}
