const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const HEADING = /^ {0,3}#{1,6}(?:[ \t]|$)/;
const CONTAINER = /<(\/?)(details|table|div|pre)\b[^>]*>/gi;

/** What a line of an open block waits for. */
interface Open {
	kind: 'plain' | 'list' | 'heading' | 'indented';
	/** The closing fence, when the line is inside a code block. */
	fence: { mark: string; length: number; nested: boolean } | null;
	/** The closing mark of displayed mathematics. */
	math: '$$' | '\\]' | null;
	/** Raw HTML containers that are not closed yet. */
	depth: number;
	blank: boolean;
}

function opened(line: string): Open {
	const kind = LIST_ITEM.test(line)
		? 'list'
		: HEADING.test(line)
			? 'heading'
			: /^(?: {4}|\t)/.test(line)
				? 'indented'
				: 'plain';
	return { kind, fence: null, math: null, depth: 0, blank: false };
}

function fenceOf(line: string): { mark: string; length: number; indent: number } | null {
	const indent = line.length - line.trimStart().length;
	const found = FENCE.exec(indent > 3 ? line.trimStart() : line);
	return found?.[2] ? { mark: found[2].charAt(0), length: found[2].length, indent } : null;
}

/** Whether a line begins a block of its own after what is open. */
function begins(line: string, open: Open): boolean {
	if (open.depth > 0) return false;
	if (open.kind === 'heading') return true;
	if (open.kind === 'list') {
		const inside = /^(?: {2}|\t)/.test(line);
		if (!open.blank) return !inside && (HEADING.test(line) || fenceOf(line) !== null);
		return !inside && !LIST_ITEM.test(line);
	}
	if (HEADING.test(line)) return true;
	if (open.kind === 'indented' && open.blank) return !/^(?: {4}|\t)/.test(line);
	return open.blank || (fenceOf(line)?.indent ?? 4) < 4;
}

function mathOf(line: string): Open['math'] {
	const text = line.trim();
	if (text.startsWith('$$') && !text.slice(2).includes('$$')) return '$$';
	if (text.startsWith('\\[') && !text.includes('\\]')) return '\\]';
	return null;
}

/**
 * Cuts Markdown into blocks that can be parsed alone: the pieces joined are the text. A list stays whole, a fence is never
 * cut, and only the last piece can change when text is added (the one before it, while a line is half written).
 */
export function splitBlocks(text: string): string[] {
	const blocks: string[] = [];
	let start = 0;
	let open: Open | null = null;
	let closed = false;
	let position = 0;
	while (position < text.length) {
		const newline = text.indexOf('\n', position);
		const end = newline < 0 ? text.length : newline + 1;
		const line = text.slice(position, newline < 0 ? end : newline).replace(/\r$/, '');
		const empty = line.trim() === '';
		if (open?.fence) {
			const fence: NonNullable<Open['fence']> = open.fence;
			const mark = line.trim();
			if (mark.length >= fence.length && mark === fence.mark.repeat(mark.length)) {
				open.fence = null;
				closed = !fence.nested;
			}
		} else if (open?.math && !empty) {
			if (line.includes(open.math)) {
				open.math = null;
				closed = open.kind !== 'list';
			}
		} else if (empty) {
			if (open) {
				open.blank = true;
				open.math = null;
			}
		} else {
			if (!open || closed || begins(line, open)) {
				if (open) {
					blocks.push(text.slice(start, position));
					start = position;
				}
				open = opened(line);
				closed = false;
			} else {
				open.blank = false;
			}
			const fence = open.kind === 'indented' ? null : fenceOf(line);
			if (fence && (open.kind === 'list' || fence.indent < 4)) {
				open.fence = {
					mark: fence.mark,
					length: fence.length,
					nested: open.kind === 'list' || open.depth > 0
				};
			} else {
				open.math = mathOf(line);
				for (const tag of line.matchAll(CONTAINER)) open.depth = Math.max(0, open.depth + (tag[1] ? -1 : 1));
			}
		}
		position = end;
	}
	if (start < text.length) blocks.push(text.slice(start));
	return blocks;
}

/** How many blocks at the end are cut anew when text is added. */
const UNSETTLED = 2;

/** Splits a text that grows, looking only at its end again. */
export class BlockSplitter {
	#text = '';
	#blocks: string[] = [];

	update(text: string): readonly string[] {
		if (text === this.#text) return this.#blocks;
		if (this.#blocks.length > UNSETTLED && text.startsWith(this.#text)) {
			const settled = this.#blocks.slice(0, -UNSETTLED);
			const from = settled.reduce((length, block) => length + block.length, 0);
			this.#blocks = [...settled, ...splitBlocks(text.slice(from))];
		} else {
			this.#blocks = splitBlocks(text);
		}
		this.#text = text;
		return this.#blocks;
	}
}
