import { Problem } from '$lib/api';
import { buildAgain, readBuild } from './api';
import type { Build } from './types';

/** While packages are being installed each second counts; otherwise it only must be seen that it begins. */
const OFTEN_MS = 1_000;
const SELDOM_MS = 4_000;
/** Looks until what was asked for must have begun. */
const PATIENCE = 10;

/** How the installation of a function's packages stands, looked at again and again. */
export class BuildWatch {
	build = $state.raw<Build | null>(null);
	/** Why it could not be asked for again. */
	problem = $state.raw<Problem | null>(null);
	/** Looks that are left until what was asked for again has begun. */
	#asked = $state(0);
	readonly #id: string;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#running = false;

	constructor(id: string) {
		this.#id = id;
	}

	get busy(): boolean {
		return this.build?.state === 'waiting' || this.build?.state === 'running';
	}

	/** Whether somebody has asked for it again, and it has not begun. */
	get asked(): boolean {
		return this.#asked > 0;
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

	again = async (): Promise<void> => {
		this.problem = null;
		this.#asked = PATIENCE;
		try {
			await buildAgain(this.#id);
		} catch (caught) {
			this.#asked = 0;
			this.problem = Problem.from(caught);
		}
		await this.look();
	};

	look = async (): Promise<void> => {
		clearTimeout(this.#timer);
		try {
			if (document.visibilityState === 'visible') {
				const before = this.build?.started_at;
				this.build = await readBuild(this.#id);
				this.#asked = this.build.started_at === before ? Math.max(0, this.#asked - 1) : 0;
			}
		} catch {
			// The log beneath says when the server cannot be reached; this is looked at again.
		}
		clearTimeout(this.#timer);
		if (this.#running)
			this.#timer = setTimeout(() => void this.look(), this.busy || this.asked ? OFTEN_MS : SELDOM_MS);
	};
}
