/** One event of a `text/event-stream`, as the HTML standard (§9.2.6) reads it. */
export interface ServerEvent {
	name: string;
	data: string;
	/** The last `id:` line seen so far; empty when there was none. */
	id: string;
}

/** A line longer than this is not from our server; reading on would only fill the memory. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** Reads events out of text that arrives in pieces cut anywhere, even between `\r` and `\n`. */
export class EventReader {
	#rest = '';
	#name = '';
	#data: string[] = [];
	#id = '';
	#afterReturn = false;
	#first = true;

	push(chunk: string): ServerEvent[] {
		let text = chunk;
		if (this.#first && text.length > 0) {
			this.#first = false;
			if (text.startsWith('\uFEFF')) text = text.slice(1);
		}
		if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1);
		if (text.length > 0) this.#afterReturn = false;
		const events: ServerEvent[] = [];
		const lines = (this.#rest + text).split(/\r\n|\r|\n/);
		this.#rest = lines.pop() ?? '';
		if (this.#rest === '' && text.endsWith('\r')) this.#afterReturn = true;
		if (this.#rest.length > LONGEST_LINE) throw new RangeError('a line of the event stream is too long');
		for (const line of lines) {
			const event = this.#line(line);
			if (event) events.push(event);
		}
		return events;
	}

	#line(line: string): ServerEvent | null {
		if (line === '') return this.#dispatch();
		if (line.startsWith(':')) return null;
		const colon = line.indexOf(':');
		const field = colon < 0 ? line : line.slice(0, colon);
		let value = colon < 0 ? '' : line.slice(colon + 1);
		if (value.startsWith(' ')) value = value.slice(1);
		if (field === 'event') this.#name = value;
		else if (field === 'data') this.#data.push(value);
		else if (field === 'id' && !value.includes('\0')) this.#id = value;
		return null;
	}

	#dispatch(): ServerEvent | null {
		const event =
			this.#data.length > 0
				? { name: this.#name || 'message', data: this.#data.join('\n'), id: this.#id }
				: null;
		this.#name = '';
		this.#data = [];
		return event;
	}
}
