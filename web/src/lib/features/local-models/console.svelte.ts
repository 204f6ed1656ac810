import {
	call,
	client,
	Problem,
	type InstalledModel,
	type MachineFacts,
	type ModelPull,
	type ModelSuggestion
} from '$lib/api';
import { Speeds } from './speed';

/** While something is on its way the page looks often; otherwise it only keeps the figures fresh. */
const OFTEN_MS = 700;
const SELDOM_MS = 3000;

const moving: InstalledModel['activity']['state'][] = ['waiting', 'loading', 'busy'];

/** The models of the machine as the server knows them, looked at again and again while the page is in view. */
export class ModelWatch {
	models = $state.raw<InstalledModel[] | null>(null);
	machine = $state.raw<MachineFacts | null>(null);
	suggestions = $state.raw<ModelSuggestion[] | null>(null);
	pulls = $state.raw<ModelPull[]>([]);
	search = $state(false);
	problem = $state.raw<Problem | null>(null);
	readonly #speeds = new Speeds();
	#timer: ReturnType<typeof setTimeout> | undefined;
	#stopped = false;
	#round = 0;

	/** Looks until the returned function is called. */
	start(): () => void {
		const seen = () => {
			if (document.visibilityState === 'visible') void this.look();
		};
		document.addEventListener('visibilitychange', seen);
		void this.look();
		return () => {
			this.#stopped = true;
			clearTimeout(this.#timer);
			document.removeEventListener('visibilitychange', seen);
		};
	}

	/** Looks at once. An answer that a later look has overtaken is left aside. */
	look = async (): Promise<void> => {
		clearTimeout(this.#timer);
		const round = ++this.#round;
		try {
			const [models, machine, pulls] = await Promise.all([
				call(client.GET('/api/v1/local-models')),
				call(client.GET('/api/v1/local-models/machine')),
				call(client.GET('/api/v1/local-models/pulls'))
			]);
			if (round !== this.#round) return;
			const before = this.models?.map((model) => model.name).join();
			this.models = models.items;
			this.search = models.search;
			this.machine = machine;
			this.#note(pulls.items);
			this.problem = null;
			if (before !== models.items.map((model) => model.name).join()) await this.#suggest();
		} catch (caught) {
			if (round === this.#round) this.problem = Problem.from(caught);
		}
		if (round === this.#round) this.#again();
	};

	/** Seconds until a pull is done and its bytes in a second, as far as can be told. */
	speed(pull: ModelPull): { perSecond: number | null; secondsLeft: number | null } {
		const speed = this.#speeds.of(pull.id);
		return {
			perSecond: speed?.perSecond ?? null,
			secondsLeft: speed?.secondsLeft(pull.total_bytes) ?? null
		};
	}

	async pull(name: string): Promise<ModelPull> {
		const begun = await call(client.POST('/api/v1/local-models/pulls', { body: { name } }));
		await this.look();
		return begun;
	}

	async cancel(pull: ModelPull): Promise<void> {
		await call(client.POST('/api/v1/local-models/pulls/{id}/cancel', { params: { path: { id: pull.id } } }));
		await this.look();
	}

	async dismiss(pull: ModelPull): Promise<void> {
		await call(client.DELETE('/api/v1/local-models/pulls/{id}', { params: { path: { id: pull.id } } }));
		await this.look();
	}

	/** Answers once the model is loaded; the page shows meanwhile how far it is. */
	async load(name: string): Promise<void> {
		const loading = call(client.POST('/api/v1/local-models/{name}/load', { params: { path: { name } } }));
		await Promise.all([loading.finally(this.look), this.look()]);
	}

	async unload(name: string): Promise<void> {
		await call(client.POST('/api/v1/local-models/{name}/unload', { params: { path: { name } } }));
		await this.look();
	}

	async delete(name: string): Promise<void> {
		await call(client.DELETE('/api/v1/local-models/{name}', { params: { path: { name } } }));
		await this.look();
	}

	#note(pulls: ModelPull[]) {
		const running = pulls.filter((pull) => pull.state === 'running' && pull.total_bytes > 0);
		this.#speeds.note(
			running.map((pull) => ({ id: pull.id, bytes: pull.completed_bytes })),
			performance.now()
		);
		this.pulls = pulls;
	}

	async #suggest() {
		this.suggestions = (await call(client.GET('/api/v1/local-models/suggestions'))).items;
	}

	#again() {
		if (this.#stopped || document.visibilityState !== 'visible') return;
		const often =
			this.pulls.some((pull) => pull.state === 'running') ||
			this.models?.some(({ activity }) => moving.includes(activity.state) || activity.unloading);
		this.#timer = setTimeout(this.look, often ? OFTEN_MS : SELDOM_MS);
	}
}
