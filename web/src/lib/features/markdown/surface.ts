import { BlockSplitter } from './blocks';
import { decorate } from './decorate';
import { definitions } from './definitions';
import { drawFormulas } from './formula';
import { highlight } from './highlight';
import { morph } from './morph';
import { parser } from './parser';
import { sanitise } from './sanitise';

interface Drawn {
	element: HTMLElement;
	source: string;
	open: boolean;
	html: string | null;
}

/**
 * Draws a growing Markdown text into an element, block by block: what is finished is never touched again, and at most one
 * question is with the worker at a time, so that a fast model costs what a slow one does.
 */
export class MarkdownSurface {
	#root: HTMLElement;
	#splitter = new BlockSplitter();
	#drawn: Drawn[] = [];
	#links = '';
	#asking = false;
	#gone = false;
	#whole: () => void = () => undefined;

	constructor(root: HTMLElement) {
		this.#root = root;
	}

	/** `growing`: the end of the text is still being written. */
	update(text: string, growing: boolean, whole: () => void = () => undefined): void {
		const sources = this.#splitter.update(text);
		this.#links = definitions(text);
		this.#whole = whole;
		while (this.#drawn.length > sources.length) this.#drawn.pop()?.element.remove();
		sources.forEach((source, index) => {
			const open = growing && index === sources.length - 1;
			const before = this.#drawn[index];
			if (before?.source === source && before.open === open) return;
			const drawn = before ?? { element: this.#add(source), source, open, html: null };
			drawn.source = source;
			drawn.open = open;
			this.#drawn[index] = drawn;
			const known = open ? undefined : parser.known(source, this.#links);
			drawn.html = null;
			if (known !== undefined) this.#draw(drawn, known);
		});
		void this.#ask();
	}

	destroy(): void {
		this.#gone = true;
	}

	#add(source: string): HTMLElement {
		const element = document.createElement('div');
		element.className = 'block pending';
		// Keeps about the room that the block will take, so that a list of messages does not jump when it is drawn.
		element.textContent = source;
		this.#root.append(element);
		return element;
	}

	async #ask(): Promise<void> {
		if (this.#asking) return;
		this.#asking = true;
		for (;;) {
			const missing = this.#drawn.filter((drawn) => drawn.html === null);
			if (missing.length === 0 || this.#gone) break;
			const asked = missing.map(({ source, open }) => ({ source, open }));
			const html = await parser.parse(asked, this.#links);
			if (this.#gone) break;
			missing.forEach((drawn, index) => {
				const answer = html[index];
				if (answer === undefined || !this.#drawn.includes(drawn)) return;
				const current = drawn.source === asked[index]?.source && drawn.open === asked[index]?.open;
				this.#draw(drawn, answer);
				if (!current) drawn.html = null;
			});
		}
		this.#asking = false;
		if (!this.#gone) this.#whole();
	}

	#draw(drawn: Drawn, html: string): void {
		drawn.html = html;
		const fragment = sanitise(html);
		decorate(fragment);
		const later = drawFormulas(fragment);
		drawn.element.classList.remove('pending');
		morph(drawn.element, fragment);
		if (later) {
			const again = () => {
				if (!this.#gone && drawn.html === html) this.#draw(drawn, html);
			};
			// Out of reach, the formulas stay as they were typed until something is drawn again.
			void later.then(again, () => undefined);
		}
		if (drawn.open) return;
		for (const code of drawn.element.querySelectorAll<HTMLElement>('pre > code[class*="language-"]')) {
			highlight(code, /language-(\S+)/.exec(code.className)?.[1] ?? '');
		}
	}
}
