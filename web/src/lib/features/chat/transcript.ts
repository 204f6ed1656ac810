// Several messages as one text, to be pasted elsewhere.
import type { Message } from '$lib/api';
import { modelName } from '$lib/features/models';
import { m } from '$lib/i18n';
import { picturesOf, plainText } from './parts';

/** Markdown: who speaks as a heading, then what they say. Pictures are named. */
export function transcript(messages: readonly Message[]): string {
	return messages
		.map((message) => {
			const name =
				message.role === 'user' ? m.transcript_you() : modelName(message.stand_in ?? message.model);
			const pictures = picturesOf(message.parts).map((picture) => `![${picture.name}]()`);
			return [`### ${name || m.assistant()}`, ...pictures, plainText(message.parts)]
				.filter(Boolean)
				.join('\n\n');
		})
		.join('\n\n');
}

/** A text as a quotation that one answers below. */
export function quotation(text: string): string {
	const lines = text.trim().split('\n');
	return `${lines.map((line) => `> ${line}`.trimEnd()).join('\n')}\n\n`;
}
