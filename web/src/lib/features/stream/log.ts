/** A piece of an answer while it grows. */
export interface LivePart {
	type: 'text' | 'reasoning';
	text: string;
	/** How long this piece grew, for reasoning: until the text after it began. */
	duration_ms: number;
}

export interface Delta {
	seq: number;
	/** The first token of a delta that was joined from several; absent when it is one token. */
	first?: number | null;
	part: LivePart['type'];
	text: string;
}

/** Where the text ended after the token `seq`, so that a rewind can cut exactly there. */
interface Mark {
	seq: number;
	parts: number;
	length: number;
}

/**
 * What became of an event: taken in, already known, or not to be joined to what is here, so that the log has to be read
 * again from {@link GenerationLog.seq}.
 */
export type Applied = 'applied' | 'known' | 'gap';

/** The text of one generation as this tab has it, exact to the token. */
export class GenerationLog {
	#parts: LivePart[] = [];
	#marks: Mark[] = [];
	#began: number[] = [];
	#now: () => number;
	/** The last token in the text; 0 before the first. */
	seq = 0;

	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	get parts(): readonly LivePart[] {
		return this.#parts;
	}

	delta(delta: Delta): Applied {
		const first = delta.first ?? delta.seq;
		if (delta.seq <= this.seq) return 'known';
		if (first > this.seq + 1) return 'gap';
		if (first <= this.seq && !this.#cut(first - 1)) return 'gap';
		this.#append(delta.part, delta.text);
		this.seq = delta.seq;
		const last = this.#parts[this.#parts.length - 1];
		this.#marks.push({ seq: delta.seq, parts: this.#parts.length, length: last?.text.length ?? 0 });
		return 'applied';
	}

	/** Forgets everything after `seq`. */
	rewind(seq: number): Applied {
		if (seq >= this.seq) return 'known';
		return this.#cut(seq) ? 'applied' : 'gap';
	}

	/** Takes the whole text so far in place of what is here. */
	snapshot(
		seq: number,
		parts: readonly { type: LivePart['type']; text: string; duration_ms?: number }[]
	): Applied {
		if (seq < this.seq) return 'known';
		this.#parts = parts.map((part) => ({
			type: part.type,
			text: part.text,
			duration_ms: part.duration_ms ?? 0
		}));
		this.#began = this.#parts.map(() => this.#now());
		const last = this.#parts[this.#parts.length - 1];
		this.#marks = [{ seq, parts: this.#parts.length, length: last?.text.length ?? 0 }];
		this.seq = seq;
		return 'applied';
	}

	/**
	 * Cuts the text back to where it ended after `seq`. A joined delta cannot be cut in its middle: then the text ends
	 * before it, and the answer is false.
	 */
	#cut(seq: number): boolean {
		let kept = this.#marks.length;
		while (kept > 0 && (this.#marks[kept - 1] as Mark).seq > seq) kept -= 1;
		const mark = kept > 0 ? (this.#marks[kept - 1] as Mark) : { seq: 0, parts: 0, length: 0 };
		this.#marks.length = kept;
		this.#parts = this.#parts.slice(0, mark.parts);
		this.#began.length = mark.parts;
		const last = this.#parts[mark.parts - 1];
		if (last) this.#parts[mark.parts - 1] = { ...last, text: last.text.slice(0, mark.length) };
		this.seq = mark.seq;
		return mark.seq === seq;
	}

	#append(type: LivePart['type'], text: string): void {
		const now = this.#now();
		const index = this.#parts.length - 1;
		const last = this.#parts[index];
		if (last && last.type === type) {
			const began = this.#began[index] ?? now;
			this.#parts[index] = {
				type,
				text: last.text + text,
				duration_ms: Math.max(last.duration_ms, now - began)
			};
			return;
		}
		if (last && last.type === 'reasoning') {
			this.#parts[index] = {
				...last,
				duration_ms: Math.max(last.duration_ms, now - (this.#began[index] ?? now))
			};
		}
		this.#parts.push({ type, text, duration_ms: 0 });
		this.#began.push(now);
	}
}
