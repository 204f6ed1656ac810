import type { Assistant } from '$lib/api';

/** Pinned ones first, each part in the order that it has: as the server lists them. */
export function inOrder(items: readonly Assistant[]): Assistant[] {
	return [...items.filter(({ pinned }) => pinned), ...items.filter(({ pinned }) => !pinned)];
}

/** The list with one of them a step nearer to its begin (-1) or its end (1), or null: pinned and others do not mix. */
export function moved(items: readonly Assistant[], id: string, step: -1 | 1): Assistant[] | null {
	const from = items.findIndex((item) => item.id === id);
	const one = items[from];
	const other = items[from + step];
	if (!one || !other || one.pinned !== other.pinned) return null;
	const list = [...items];
	list[from] = other;
	list[from + step] = one;
	return list;
}

type Findable = Pick<Assistant, 'name' | 'description' | 'tags'>;

/** Those that have all the words, in name, description or tags. */
export function matching<Item extends Findable>(items: readonly Item[], words: string): Item[] {
	const wanted = words.toLocaleLowerCase().split(/\s+/u).filter(Boolean);
	return items.filter(({ name, description, tags }) => {
		const text = [name, description, ...(tags ?? [])].join('\n').toLocaleLowerCase();
		return wanted.every((word) => text.includes(word));
	});
}
