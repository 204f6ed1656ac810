// What a menu is made of, and how typing finds an entry.
import type { Component } from 'svelte';

export interface MenuAction {
	label: string;
	icon?: Component;
	/** Grey text at the end of the row: a shortcut or a value. */
	note?: string;
	/** A second line, for example why the entry is disabled. */
	hint?: string;
	danger?: boolean;
	disabled?: boolean;
	/** Makes the entry a choice with a check mark. */
	checked?: boolean;
	href?: string;
	onselect?: () => void;
}
export type MenuEntry = MenuAction | { heading: string } | 'separator';

export function isAction(entry: MenuEntry): entry is MenuAction {
	return typeof entry === 'object' && 'label' in entry;
}

/** The next index whose label starts with `typed`, searching onwards from `from` and around; -1 when there is none. */
export function findByText(labels: string[], typed: string, from: number): number {
	const wanted = typed.toLocaleLowerCase();
	for (let step = 0; step < labels.length; step++) {
		const index = (Math.max(from, 0) + step) % labels.length;
		if (labels[index]?.toLocaleLowerCase().startsWith(wanted)) return index;
	}
	return -1;
}
