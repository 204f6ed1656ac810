/** What can be measured of a scrolled element. All in CSS pixels. */
export interface Measure {
	top: number;
	height: number;
	content: number;
}

/** Nearer to the end than this, somebody who scrolls down means the end. */
const NEAR = 32;

function distance({ top, height, content }: Measure): number {
	return content - top - height;
}

/**
 * Decides whether the view follows the end of a growing list. What moved the view is told from positions, not from guesses
 * about time: only a reader makes the top smaller by more than the content shrank.
 */
export class Stick {
	#stuck = true;
	#last: Measure | null = null;

	get stuck(): boolean {
		return this.#stuck;
	}

	/** The view was scrolled, by whomever. */
	scrolled(now: Measure): void {
		const last = this.#last;
		this.#last = now;
		const rest = distance(now);
		if (!last) {
			this.#stuck = rest <= NEAR;
			return;
		}
		const shrunk = Math.max(0, last.content - now.content) + Math.max(0, now.height - last.height);
		const up = last.top - now.top;
		if (up > shrunk + 1) {
			if (rest > 1) this.#stuck = false;
		} else if (rest <= 1 || (rest <= NEAR && now.top > last.top)) {
			this.#stuck = true;
		}
	}

	/** The content or the view changed its size. The answer is the top to set, or null to leave the reader alone. */
	resized(now: Measure): number | null {
		this.#last = now;
		if (!this.#stuck) return null;
		const end = Math.max(0, now.content - now.height);
		return Math.abs(end - now.top) > 0.5 ? end : null;
	}

	/** The reader turns upward: a wheel, a finger, a key. Comes before the scroll that it causes. */
	turnedUp(now: Measure): void {
		if (now.content > now.height + 1 && now.top > 0) this.#stuck = false;
	}

	/** The list changes under the reader, who stays where they are. */
	leave(): void {
		this.#stuck = false;
	}

	/** The reader asks for the end: a new message, the pill. */
	follow(): void {
		this.#stuck = true;
	}
}
