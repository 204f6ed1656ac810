import { readBuild } from './api';
import type { Build } from './types';

/** While packages are being installed each second counts; otherwise it only must be seen that it begins. */
const OFTEN_MS = 1_000;
const SELDOM_MS = 4_000;

/** How the installation of a function's packages stands, looked at again and again. */
export class BuildWatch {
	build = $state.raw<Build | null>(null);
	readonly #id: string;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#running = false;

	constructor(id: string) {
		this.#id = id;
	}

	get busy(): boolean {
		return this.build?.state === 'waiting' || this.build?.state === 'running';
	}

	/** Looks until the returned function is called. */
	start(): () => void {
		this.#running = true;
		void this.look();
		return () => {
			this.#running = false;
			clearTimeout(this.#timer);
		};
	}

	look = async (): Promise<void> => {
		clearTimeout(this.#timer);
		try {
			if (document.visibilityState === 'visible') this.build = await readBuild(this.#id);
		} catch {
			// The log beneath says when the server cannot be reached; this is looked at again.
		}
		clearTimeout(this.#timer);
		if (this.#running) this.#timer = setTimeout(() => void this.look(), this.busy ? OFTEN_MS : SELDOM_MS);
	};
}
