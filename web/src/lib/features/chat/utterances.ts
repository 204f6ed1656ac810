// What a voice reads of an answer.
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
