import { call, client, type Provider, type ProviderModel } from '$lib/api';

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

	constructor(provider: Provider) {
		this.#confirmed = provider;
		this.provider = provider;
	}

	/** Replaces what is known, with changes on their way laid on top. */
	accept(provider: Provider): void {
		this.#confirmed = provider;
		this.#show();
	}

	async update(body: {
		name?: string;
		base_url?: string;
		api_key?: string | null;
		enabled?: boolean;
	}): Promise<void> {
		const path = { id: this.provider.id };
		this.accept(await call(client.PATCH('/api/v1/providers/{id}', { params: { path }, body })));
	}

	async fetchModels(): Promise<number> {
		const path = { id: this.provider.id };
		const before = this.provider.models.length;
		this.accept(await call(client.POST('/api/v1/providers/{id}/models/fetch', { params: { path } })));
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
			this.#confirmed = await call(
				client.PUT('/api/v1/providers/{id}/models', {
					params: { path: { id: base.id } },
					body: { models: change(base.models) }
				})
			);
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
