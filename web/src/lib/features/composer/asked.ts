/** Somebody has written `/` or `@` and begins to say what they mean. */
export interface Asked {
	sign: '/' | '@';
	/** What follows the sign. */
	word: string;
	/** Where the sign stands. */
	from: number;
}

/** What is asked for in front of the caret: a prompt at the beginning of the text, a model or an assistant at that of a word. */
export function askedFor(text: string, caret: number): Asked | null {
	const before = text.slice(0, caret);
	const prompt = /^\/([^\n/]{0,40})$/.exec(before);
	if (prompt) return { sign: '/', word: prompt[1] ?? '', from: 0 };
	const whom = /(?:^|\s)@([^\s@]{0,40})$/.exec(before);
	return whom ? { sign: '@', word: whom[1] ?? '', from: caret - (whom[1] ?? '').length - 1 } : null;
}
