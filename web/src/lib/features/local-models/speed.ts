/** How far back a speed looks. Shorter jumps about, longer does not notice that the network has gone. */
const WINDOW_MS = 8000;
/** A speed from less than this is a guess. */
const LEAST_MS = 1500;

interface Sample {
	at: number;
	bytes: number;
}

/** Tells how fast something comes from how far it has come. */
export class Speed {
	#samples: Sample[] = [];

	/** Notes how many bytes are there now. Fewer than before means that it has begun anew. */
	note(bytes: number, at: number): void {
		const last = this.#samples.at(-1);
		if (last && bytes < last.bytes) this.#samples = [];
		this.#samples.push({ at, bytes });
		while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= WINDOW_MS) this.#samples.shift();
	}

	/** Bytes in a second, or null while too little is known. */
	get perSecond(): number | null {
		const [first, last] = [this.#samples[0], this.#samples.at(-1)];
		if (!first || !last || last.at - first.at < LEAST_MS) return null;
		return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
	}

	/** Seconds until `total` is there, or null when nobody can tell. */
	secondsLeft(total: number): number | null {
		const rate = this.perSecond;
		const last = this.#samples.at(-1);
		return !rate || !last || total <= 0 ? null : Math.max(0, total - last.bytes) / rate;
	}
}

/** The speeds of several downloads by their ids. */
export class Speeds {
	#all = new Map<string, Speed>();

	/** Notes where everything that runs is now, and forgets everything else. */
	note(running: { id: string; bytes: number }[], at: number): void {
		this.#all = new Map(running.map(({ id }) => [id, this.#all.get(id) ?? new Speed()]));
		for (const { id, bytes } of running) this.#all.get(id)?.note(bytes, at);
	}

	of(id: string): Speed | undefined {
		return this.#all.get(id);
	}
}
