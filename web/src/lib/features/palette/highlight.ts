import type { Snippet } from '$lib/api';

export interface Piece {
	text: string;
	marked: boolean;
}

/** A snippet as pieces, marked and not: text alone, never HTML. Ranges that do not fit the text are passed over. */
export function pieces({ text, highlights }: Snippet): Piece[] {
	const all: Piece[] = [];
	let at = 0;
	for (const { start, end } of highlights) {
		if (start < at || end <= start || end > text.length) continue;
		if (start > at) all.push({ text: text.slice(at, start), marked: false });
		all.push({ text: text.slice(start, end), marked: true });
		at = end;
	}
	if (at < text.length) all.push({ text: text.slice(at), marked: false });
	return all;
}
