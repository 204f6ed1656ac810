const END = /[.!?…](?=[\s"')\]])|[。！？]|\n/g;

/**
 * The whole sentences that came after `from`, and where they end. A screen reader is given these: token by token it would
 * stutter, and only at the end it would be silent for a minute.
 */
export function sentencesAfter(text: string, from: number): { words: string; to: number } {
	let to = from;
	END.lastIndex = from;
	for (let found = END.exec(text); found; found = END.exec(text)) to = END.lastIndex;
	return { words: speakable(text.slice(from, to)), to };
}

/** Markdown's marks are not for the ear. */
export function speakable(markdown: string): string {
	return markdown
		.replace(/^ {0,3}(?:```|~~~).*$/gm, '')
		.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
		.replace(/^[ \t]*(?:#{1,6}|>|[-*+]|\|)[ \t]+/gm, '')
		.replace(/[*_`|]+/g, '')
		.replace(/\s+/g, ' ')
		.trim();
}
