import { SvelteMap } from 'svelte/reactivity';
import { comboOf, written } from './keys';

/** What can be done from anywhere, with the keys that do it unless somebody chose others. */
const defaults = {
	palette: 'Mod+K',
	new: 'Alt+N',
	help: 'Mod+/',
	focus: 'Alt+C',
	model: 'Alt+M',
	parameters: 'Alt+P',
	copy: 'Alt+Shift+C',
	quote: 'Alt+Q',
	sidebar: 'Mod+B',
	zen: 'Alt+Z',
	settings: 'Mod+,'
};
export type Act = keyof typeof defaults;
export const acts = Object.keys(defaults) as Act[];
const key = 'stoa-keys';

/** What was chosen; of what anybody may have written there, only what can be keys of something. */
function stored(): Partial<Record<Act, string>> {
	try {
		const read: unknown = JSON.parse(localStorage.getItem(key) ?? '{}');
		const known = Object.entries(read ?? {}).filter(
			([act, combo]) => act in defaults && typeof combo === 'string'
		);
		return Object.fromEntries(known) as Partial<Record<Act, string>>;
	} catch {
		return {};
	}
}

/** The keys of this browser, and what they do on the page that is shown. */
class Shortcuts {
	#chosen = $state.raw(stored());
	readonly changed = $derived(Object.keys(this.#chosen).length > 0);
	#offered = new SvelteMap<Act, () => void>();

	/** The keys for something; empty when it shall have none. */
	of(act: Act): string {
		return this.#chosen[act] ?? defaults[act];
	}

	/** The same as people read it. */
	words(act: Act): string {
		return written(this.of(act));
	}

	/** What these keys do already. */
	taken(combo: string): Act | undefined {
		return acts.find((act) => this.of(act) === combo);
	}

	/** Gives something other keys, or none; whatever had them has none then. */
	choose(act: Act, combo: string): void {
		const loser = combo && this.taken(combo);
		const chosen = { ...this.#chosen, ...(loser ? { [loser]: '' } : {}), [act]: combo };
		this.#keep(
			Object.fromEntries(Object.entries(chosen).filter(([act, combo]) => defaults[act as Act] !== combo))
		);
	}

	reset(): void {
		this.#keep({});
	}

	/** Says what the page can do, until the returned function is called. */
	offer(offered: Partial<Record<Act, () => void>>): () => void {
		const entries = Object.entries(offered) as [Act, () => void][];
		for (const [act, run] of entries) this.#offered.set(act, run);
		return () => {
			for (const [act, run] of entries) if (this.#offered.get(act) === run) this.#offered.delete(act);
		};
	}

	offers(act: Act): boolean {
		return this.#offered.has(act);
	}

	run(act: Act): void {
		this.#offered.get(act)?.();
	}

	/** Does what was pressed. A question mark asks for help wherever it is not text. */
	press(event: KeyboardEvent): void {
		if (event.defaultPrevented || event.isComposing) return;
		const combo = comboOf(event);
		if (!combo) return;
		const typing =
			event.target instanceof Element && event.target.closest('input, textarea, select, [contenteditable]');
		const act = combo === '?' && !typing ? 'help' : this.taken(combo);
		// What lies behind a dialog waits until it is closed; the palette is everywhere.
		if (!act || !this.offers(act) || (act !== 'palette' && document.querySelector('dialog[open]'))) return;
		event.preventDefault();
		this.run(act);
	}

	#keep(chosen: Partial<Record<Act, string>>): void {
		this.#chosen = chosen;
		try {
			localStorage.setItem(key, JSON.stringify(chosen));
		} catch {
			// A browser without storage keeps the choice until the page is closed.
		}
	}
}

export const shortcuts = new Shortcuts();
