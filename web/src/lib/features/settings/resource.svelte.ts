import { Problem } from '$lib/api';

/** Something a page loads: nothing yet, a problem, or the data. A reload keeps the old data in view. */
export class Resource<T> {
	data = $state.raw<T | null>(null);
	problem = $state.raw<Problem | null>(null);
	loading = $state(false);
	readonly #fetch: () => Promise<T>;
	#round = 0;

	constructor(fetch: () => Promise<T>) {
		this.#fetch = fetch;
		void this.load();
	}

	load = async (): Promise<void> => {
		const round = ++this.#round;
		this.loading = true;
		this.problem = null;
		try {
			const data = await this.#fetch();
			if (round === this.#round) this.data = data;
		} catch (caught) {
			if (round === this.#round) this.problem = Problem.from(caught);
		} finally {
			if (round === this.#round) this.loading = false;
		}
	};
}
