import type { AnyAssistant, Assistant } from '$lib/api';

/** Pinned ones first, each part in the order that it has: as the server lists them. */
export function inOrder(items: readonly Assistant[]): Assistant[] {
	return [...items.filter(({ pinned }) => pinned), ...items.filter(({ pinned }) => !pinned)];
}

/** The list with one of them a step nearer to the begin (-1) or the end (1) of its folder, or null: pinned and others do not mix. */
export function moved(items: readonly Assistant[], id: string, step: -1 | 1): Assistant[] | null {
	const one = items.find((item) => item.id === id);
	if (!one) return null;
	const beside = items.filter((item) => item.pinned === one.pinned && item.folder_id === one.folder_id);
	const other = beside[beside.indexOf(one) + step];
	if (!other) return null;
	return items.map((item) => (item === one ? other : item === other ? one : item));
}

/** Those that lie in this folder, or in none. */
export function within<Item extends AnyAssistant>(items: readonly Item[], folder: string | null): Item[] {
	return items.filter(({ folder_id }) => folder_id === folder);
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
