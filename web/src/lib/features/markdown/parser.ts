import type { RenderAnswer, RenderRequest } from './worker';

interface Block {
	source: string;
	open: boolean;
}

const CACHED = 2_000;

/** Markdown to HTML in one worker for all messages of the page, with what was parsed lately kept. */
class Parser {
	#worker: Worker | null = null;
	#waiting = new Map<number, (html: string[]) => void>();
	#cache = new Map<string, string>();
	#last = 0;

	/** The HTML of a finished block if it is known already. */
	known(source: string, links: string): string | undefined {
		return this.#cache.get(source + '\0' + links);
	}

	async parse(blocks: Block[], links: string): Promise<string[]> {
		const html = await this.#ask({ id: ++this.#last, links, blocks });
		blocks.forEach(({ source, open }, index) => {
			if (!open) this.#keep(source + '\0' + links, html[index] ?? '');
		});
		return html;
	}

	#ask(request: RenderRequest): Promise<string[]> {
		this.#worker ??= this.#start();
		return new Promise((resolve) => {
			this.#waiting.set(request.id, resolve);
			this.#worker?.postMessage(request);
		});
	}

	#start(): Worker {
		const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
		worker.addEventListener('message', ({ data }: MessageEvent<RenderAnswer>) => {
			this.#waiting.get(data.id)?.(data.html);
			this.#waiting.delete(data.id);
		});
		return worker;
	}

	#keep(key: string, html: string): void {
		this.#cache.set(key, html);
		if (this.#cache.size <= CACHED) return;
		for (const oldest of this.#cache.keys()) {
			this.#cache.delete(oldest);
			break;
		}
	}
}

export const parser = new Parser();
