// A short conversation with a function that speaks OpenAI's protocol, kept by nobody.
import { Problem } from '$lib/api';
import { AnswerReader, CallFault, readAnswer } from '$lib/features/browser-calls';
import { tryFunction, type TrialHead } from './trial';

export interface Said {
	role: 'user' | 'assistant';
	content: string;
	reasoning: string;
	head: TrialHead | null;
}

const LONGEST_ERROR = 4_000;

export class TrialChat {
	said = $state<Said[]>([]);
	busy = $state(false);
	problem = $state.raw<Problem | null>(null);
	#stop = new AbortController();

	async send(id: string, model: string, target: string, text: string): Promise<void> {
		if (this.busy) return;
		this.busy = true;
		this.problem = null;
		this.#stop = new AbortController();
		const before = this.said.map(({ role, content }) => ({ role, content }));
		const messages = [...before, { role: 'user', content: text }];
		this.said.push({ role: 'user', content: text, reasoning: '', head: null });
		try {
			await this.#answer(id, target, JSON.stringify({ model, messages, stream: true }));
		} catch (caught) {
			if (!this.#stop.signal.aborted) this.problem = problemOf(caught);
		} finally {
			this.busy = false;
		}
	}

	stop = (): void => this.#stop.abort();

	clear(): void {
		this.stop();
		this.said = [];
		this.problem = null;
	}

	async #answer(id: string, target: string, body: string): Promise<void> {
		const { head, response } = await tryFunction(
			id,
			{
				target,
				method: 'POST',
				path: '/v1/chat/completions',
				headers: [
					['content-type', 'application/json'],
					['accept', 'text/event-stream']
				],
				body
			},
			this.#stop.signal
		);
		if (head.status >= 400) {
			const said = (await response.text()).slice(0, LONGEST_ERROR);
			throw new Problem({ code: 'function_status', detail: `${head.status}: ${said}` });
		}
		this.said.push({ role: 'assistant', content: '', reasoning: '', head });
		const answer = this.said[this.said.length - 1] as Said;
		const reader = new AnswerReader((part, piece) => {
			if (part === 'text') answer.content += piece;
			else answer.reasoning += piece;
		});
		await readAnswer(response, reader, () => undefined);
		reader.end();
		if (!reader.finish) throw new CallFault('cut_off');
	}
}

function problemOf(caught: unknown): Problem {
	if (!(caught instanceof CallFault)) return Problem.from(caught);
	const code = caught.kind === 'cut_off' ? 'function_cut_off' : 'function_protocol';
	return new Problem({ code, detail: caught.message });
}
