// State shared by Menu and Popover: a native popover in the top layer that opens beside an anchor and gives the focus back.
import { tick } from 'svelte';
import { follow, type Box, type Placement } from './place';

export class Floating {
	/** Whether the surface is in the document. */
	open = $state(false);
	element = $state<HTMLElement>();
	readonly #placement: () => Placement;
	readonly #onclose: (() => void) | undefined;
	#stop: (() => void) | undefined;
	#returnTo: HTMLElement | null = null;
	#openAtPress = false;

	constructor(placement: () => Placement, onclose?: () => void) {
		this.#placement = placement;
		this.#onclose = onclose;
	}

	/** What the browser says; `open` follows a moment later, with the event of the change. */
	get #shown(): boolean {
		return this.element?.matches(':popover-open') ?? false;
	}

	/** Remembers at press time whether the surface was open: the press itself dismisses it before the click arrives. */
	pressed = () => {
		this.#openAtPress = this.#shown;
	};

	/** For the trigger's click: opens, or stays closed when the same press has just dismissed the surface. */
	async toggle(anchor: HTMLElement): Promise<boolean> {
		const wasOpen = this.#openAtPress;
		this.#openAtPress = false;
		if (wasOpen || this.#shown) {
			this.close();
			return false;
		}
		await this.show(() => anchor.getBoundingClientRect(), anchor);
		return true;
	}

	async show(anchor: () => Box, returnTo: HTMLElement | null): Promise<void> {
		this.#returnTo = returnTo;
		this.open = true;
		await tick();
		const element = this.element;
		if (!element) return;
		element.showPopover();
		this.#stop?.();
		this.#stop = follow(element, anchor, this.#placement());
	}

	close = () => {
		if (this.#shown) this.element?.hidePopover();
		else this.#closed();
	};

	/** For the surface's `toggle` event: the browser may close it too (Escape, a press outside, another popover). */
	toggled = (event: ToggleEvent) => {
		if (event.target === this.element && event.newState === 'closed') this.#closed();
	};

	#closed() {
		if (!this.open) return;
		const active = document.activeElement;
		const inside = active === document.body || (this.element?.contains(active) ?? false);
		this.#stop?.();
		this.#stop = undefined;
		this.open = false;
		if (inside) this.#returnTo?.focus();
		this.#onclose?.();
	}
}
