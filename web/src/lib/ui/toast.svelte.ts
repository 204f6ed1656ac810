// Short notices that leave by themselves. One list for the whole page; `Toaster` draws it.

export interface ToastAction {
	label: string;
	run: () => void | Promise<void>;
}
export interface ToastOptions {
	tone?: 'plain' | 'good' | 'bad';
	action?: ToastAction;
	/** How long it stays; longer by itself when there is something to press or to worry about. */
	durationMs?: number;
}
export interface Toast extends ToastOptions {
	id: number;
	text: string;
}

const SHORT_MS = 4000;
const LONG_MS = 8000;
const MOST = 3;

export class Toasts {
	items = $state.raw<Toast[]>([]);
	#next = 1;
	#timers: { id: number; timer: ReturnType<typeof setTimeout> }[] = [];
	#held = false;

	/** Shows a notice and returns its number for {@link dismiss}. */
	show(text: string, options: ToastOptions = {}): number {
		const id = this.#next++;
		const kept = this.items.slice(-(MOST - 1));
		for (const item of this.items) if (!kept.includes(item)) this.#forget(item.id);
		const toast = { ...options, id, text };
		this.items = [...kept, toast];
		if (!this.#held) this.#start(toast);
		return id;
	}

	dismiss(id: number): void {
		this.#forget(id);
		this.items = this.items.filter((item) => item.id !== id);
		// The pointer never leaves what has vanished under it.
		if (this.items.length === 0) this.#held = false;
	}

	/** While the reader points at the notices or has the focus in them, none leaves. */
	hold(): void {
		this.#held = true;
		for (const item of this.items) this.#forget(item.id);
	}

	release(): void {
		if (!this.#held) return;
		this.#held = false;
		for (const item of this.items) this.#start(item);
	}

	#start(toast: Toast) {
		const lasting = toast.action !== undefined || toast.tone === 'bad';
		const after = toast.durationMs ?? (lasting ? LONG_MS : SHORT_MS);
		const timer = setTimeout(() => {
			this.dismiss(toast.id);
		}, after);
		this.#timers.push({ id: toast.id, timer });
	}

	#forget(id: number) {
		clearTimeout(this.#timers.find((entry) => entry.id === id)?.timer);
		this.#timers = this.#timers.filter((entry) => entry.id !== id);
	}
}

export const toasts = new Toasts();
