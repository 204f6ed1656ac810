import { Stick, type Measure } from './stick';

const UP_KEYS = new Set(['ArrowUp', 'PageUp', 'Home']);

/** Ties {@link Stick} to an element: the one owner of programmatic scrolling in the list of messages. */
export class Follower {
	/** The view follows the end. */
	following = $state(true);
	#stick = new Stick();
	#scroller: HTMLElement | null = null;

	/** `content` is what grows inside the scroller. */
	attach(scroller: HTMLElement, content: HTMLElement): () => void {
		this.#scroller = scroller;
		let touched = 0;
		const scrolled = () => {
			this.#stick.scrolled(this.#measure(scroller));
			this.#tell();
		};
		const turnedUp = () => {
			this.#stick.turnedUp(this.#measure(scroller));
			this.#tell();
		};
		const wheel = (event: WheelEvent) => event.deltaY < 0 && !event.ctrlKey && turnedUp();
		const touchStart = (event: TouchEvent) => (touched = event.touches[0]?.clientY ?? 0);
		const touchMove = (event: TouchEvent) => {
			const at = event.touches[0]?.clientY ?? touched;
			if (at > touched + 2) turnedUp();
			touched = at;
		};
		const key = (event: KeyboardEvent) => {
			const typing = (event.target as Element).matches('input, textarea, [contenteditable]');
			if (!typing && (UP_KEYS.has(event.key) || (event.key === ' ' && event.shiftKey))) turnedUp();
		};
		const resized = new ResizeObserver(() => this.settle());
		resized.observe(content);
		resized.observe(scroller);
		scroller.addEventListener('scroll', scrolled, { passive: true });
		scroller.addEventListener('wheel', wheel, { passive: true });
		scroller.addEventListener('touchstart', touchStart, { passive: true });
		scroller.addEventListener('touchmove', touchMove, { passive: true });
		scroller.addEventListener('keydown', key);
		return () => {
			resized.disconnect();
			scroller.removeEventListener('scroll', scrolled);
			scroller.removeEventListener('wheel', wheel);
			scroller.removeEventListener('touchstart', touchStart);
			scroller.removeEventListener('touchmove', touchMove);
			scroller.removeEventListener('keydown', key);
			this.#scroller = null;
		};
	}

	/** Goes to the end and stays there. */
	toEnd(): void {
		this.#stick.follow();
		this.settle();
		this.#tell();
	}

	/** Leaves the view where it is, whatever grows. */
	stay(): void {
		this.#stick.leave();
		this.#tell();
	}

	/** Puts the view back at the end if it follows it. */
	settle(): void {
		const scroller = this.#scroller;
		if (!scroller) return;
		const top = this.#stick.resized(this.#measure(scroller));
		if (top !== null) scroller.scrollTop = top;
	}

	#measure(scroller: HTMLElement): Measure {
		return { top: scroller.scrollTop, height: scroller.clientHeight, content: scroller.scrollHeight };
	}

	#tell(): void {
		this.following = this.#stick.stuck;
	}
}
