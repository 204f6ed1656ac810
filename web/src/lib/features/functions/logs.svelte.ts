import { Problem } from '$lib/api';
import { listInstances, readLogs } from './api';
import type { Instance, LogLine } from './types';

const EVERY_MS = 1_000;
const MOST = 500;

/** The end of a function's log and its instances, looked at again and again while somebody sees them. */
export class LogTail {
	lines = $state.raw<LogLine[]>([]);
	instances = $state.raw<Instance[]>([]);
	/** Lines that the server no longer had. */
	lost = $state(0);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	/** Only what one instance says; of all where it is empty. */
	instance = $state('');
	search = $state('');
	/** Only what belongs to this request; of all where it is empty. */
	request = $state('');
	readonly #id: string;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#running = false;
	#round = 0;

	constructor(id: string) {
		this.#id = id;
	}

	/** Looks until the returned function is called. */
	start(): () => void {
		const seen = () => document.visibilityState === 'visible' && void this.look();
		document.addEventListener('visibilitychange', seen);
		this.#running = true;
		void this.look();
		return () => {
			this.#running = false;
			this.#round++;
			clearTimeout(this.#timer);
			document.removeEventListener('visibilitychange', seen);
		};
	}

	/** Looks at once. An answer that a later look has overtaken is left aside. */
	look = async (): Promise<void> => {
		clearTimeout(this.#timer);
		const round = ++this.#round;
		const { instance, search, request } = this;
		const query = {
			limit: MOST,
			...(instance ? { instance } : {}),
			...(search ? { search } : {}),
			...(request ? { request } : {})
		};
		try {
			const [logs, instances] = await Promise.all([readLogs(this.#id, query), listInstances(this.#id)]);
			if (round !== this.#round) return;
			if (!same(logs.lines, this.lines)) this.lines = logs.lines;
			this.lost = logs.lost;
			this.instances = instances.items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			if (round === this.#round) this.problem = Problem.from(caught);
		}
		if (round !== this.#round || !this.#running || document.visibilityState !== 'visible') return;
		this.#timer = setTimeout(() => void this.look(), EVERY_MS);
	};
}

/** The same lines are not drawn again, so that what is selected stays so. */
function same(one: LogLine[], other: LogLine[]): boolean {
	const [a, b] = [one.at(-1), other.at(-1)];
	return (
		one.length === other.length &&
		a?.instance === b?.instance &&
		a?.number === b?.number &&
		one[0]?.number === other[0]?.number &&
		one[0]?.instance === other[0]?.instance
	);
}
