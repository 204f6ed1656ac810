import { CallFault } from './fault';

export type PartKind = 'text' | 'reasoning';
export type FinishReason = 'stop' | 'length' | 'content_filter' | 'tool_calls';
export interface Usage {
	prompt_tokens: number;
	completion_tokens: number;
	cached_tokens: number;
	reasoning_tokens: number;
}

type Json = Record<string, unknown>;

const object = (value: unknown): Json => (value && typeof value === 'object' ? (value as Json) : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const count = (value: unknown): number =>
	typeof value === 'number' && value >= 0 ? Math.min(Math.floor(value), Number.MAX_SAFE_INTEGER) : 0;

const FINISHES: Record<string, FinishReason> = {
	stop: 'stop',
	length: 'length',
	content_filter: 'content_filter',
	tool_calls: 'tool_calls',
	function_call: 'tool_calls'
};
const [OPEN, CLOSE] = ['<think>', '</think>'];

/**
 * Reads the chunks of OpenAI's chat completions, with the habits of the servers that speak it: reasoning beside the text or
 * in `<think>` at its beginning, content in parts, usage in any chunk, an error in mid-stream.
 * Source of the protocol: https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class AnswerReader {
	usage: Usage | null = null;
	finish: FinishReason | null = null;
	readonly #say: (part: PartKind, text: string) => void;
	/** Text that may yet turn out to be a mark; null when no mark can come any more. */
	#held: string | null = '';
	#thinking = false;
	/** Between the thoughts and the text there may be blanks, which belong to neither. */
	#blanks = false;

	constructor(say: (part: PartKind, text: string) => void) {
		this.#say = say;
	}

	/** One event's data, or a whole answer that was not streamed. Throws a {@link CallFault}. */
	take(data: string): void {
		if (data.trim() === '[DONE]') return;
		let chunk: Json;
		try {
			chunk = object(JSON.parse(data));
		} catch {
			throw new CallFault('protocol', data.slice(0, 300));
		}
		if (chunk.error) throw new CallFault('refused', errorText(data));
		this.#takeUsage(object(chunk.usage));
		const choice = object(Array.isArray(chunk.choices) ? chunk.choices[0] : null);
		this.#takeUsage(object(choice.usage));
		const said = object(choice.delta ?? choice.message);
		const reasoning = text(said.reasoning_content) || text(said.reasoning);
		if (reasoning) this.#say('reasoning', reasoning);
		this.#takeContent(said.content);
		const finish = text(choice.finish_reason);
		if (finish) this.finish = FINISHES[finish] ?? 'stop';
	}

	/** What was held back at the end. */
	end(): void {
		if (this.#held) this.#say(this.#thinking ? 'reasoning' : 'text', this.#held);
		this.#held = null;
	}

	#takeContent(content: unknown): void {
		const pieces = Array.isArray(content) ? content.map((part) => text(object(part).text)) : [text(content)];
		for (const piece of pieces) if (piece) this.#takeText(piece);
	}

	#takeText(piece: string): void {
		if (this.#held === null) {
			const shown = this.#blanks ? piece.trimStart() : piece;
			if (!shown) return;
			this.#blanks = false;
			this.#say('text', shown);
			return;
		}
		this.#held += piece;
		if (!this.#thinking) {
			const begin = this.#held.trimStart();
			if (begin.startsWith(OPEN)) {
				this.#thinking = true;
				this.#held = begin.slice(OPEN.length);
			} else if (!OPEN.startsWith(begin)) {
				this.end();
				return;
			} else return;
		}
		const close = this.#held.indexOf(CLOSE);
		if (close >= 0) {
			const [thought, rest] = [this.#held.slice(0, close), this.#held.slice(close + CLOSE.length)];
			if (thought) this.#say('reasoning', thought);
			this.#held = null;
			this.#blanks = true;
			if (rest) this.#takeText(rest);
			return;
		}
		// All but what may be the beginning of the mark.
		let keep = Math.min(CLOSE.length - 1, this.#held.length);
		while (!CLOSE.startsWith(this.#held.slice(this.#held.length - keep))) keep -= 1;
		const thought = this.#held.slice(0, this.#held.length - keep);
		if (thought) this.#say('reasoning', thought);
		this.#held = this.#held.slice(this.#held.length - keep);
	}

	#takeUsage(usage: Json): void {
		if (Object.keys(usage).length === 0) return;
		this.usage = {
			prompt_tokens: count(usage.prompt_tokens),
			completion_tokens: count(usage.completion_tokens),
			cached_tokens: count(object(usage.prompt_tokens_details).cached_tokens),
			reasoning_tokens: count(object(usage.completion_tokens_details).reasoning_tokens)
		};
	}
}

/** What a provider says of its error, in at most a few lines. */
export function errorText(body: string): string {
	try {
		const answer = object(JSON.parse(body));
		const error = answer.error ?? answer.detail ?? answer.message;
		const said = text(error) || text(object(error).message);
		if (said) return said.slice(0, 500);
	} catch {
		// No JSON: its own words will do.
	}
	return body.trim().slice(0, 500);
}
