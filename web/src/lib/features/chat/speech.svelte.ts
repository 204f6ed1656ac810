import { speakable } from './sentences';

/** Browsers fall silent in the middle of long utterances; a few sentences at a time they read to the end. */
const UTTERANCE = 240;
const CHINESE = /[\u3400-\u9fff]/g;

/** What is read at once: whole sentences, as many as fit. */
export function utterances(markdown: string): string[] {
	const spoken: string[] = [];
	let at = 0;
	const text = `${markdown}\n`;
	while (at < text.length) {
		const rest = text.slice(at);
		const end = /[.!?…](?=\s)|[。！？\n]/.exec(rest);
		const next = end ? at + end.index + 1 : text.length;
		const said = speakable(text.slice(at, next));
		at = next;
		if (!/[\p{L}\p{N}]/u.test(said)) continue;
		const last = spoken.at(-1);
		if (last !== undefined && last.length + said.length < UTTERANCE)
			spoken[spoken.length - 1] = `${last} ${said}`;
		else spoken.push(said);
	}
	return spoken;
}

/** The language that most of a text is in, as far as a voice must know it; null leaves it to the browser. */
export function voiceFor(text: string): string | null {
	return (text.match(CHINESE)?.length ?? 0) * 3 > text.length ? 'zh-CN' : null;
}

/** Reads one message at a time aloud, by the browser's own voice: nothing leaves the machine that the browser does not send. */
class Speech {
	/** The message that is being read. */
	reading = $state<string | null>(null);
	readonly possible = 'speechSynthesis' in globalThis;

	toggle(message: string, markdown: string): void {
		if (this.reading === message) this.stop();
		else this.#read(message, markdown);
	}

	stop(): void {
		this.reading = null;
		if (this.possible) speechSynthesis.cancel();
	}

	#read(message: string, markdown: string): void {
		this.stop();
		const parts = utterances(markdown).map((text) => new SpeechSynthesisUtterance(text));
		const last = parts.at(-1);
		if (!last) return;
		this.reading = message;
		const over = () => {
			if (this.reading === message) this.reading = null;
		};
		last.addEventListener('end', over);
		for (const part of parts) {
			const language = voiceFor(part.text);
			if (language) part.lang = language;
			// What was stopped by hand says so, too; then another one may be read already.
			part.addEventListener('error', over);
			speechSynthesis.speak(part);
		}
	}
}

export const speech = new Speech();
