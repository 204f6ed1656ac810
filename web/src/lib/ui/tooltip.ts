// One shared tooltip for the whole page. `{@attach tooltip(text)}` shows the text while the element is hovered or has keyboard focus.
import './tooltip.css';
import type { Attachment } from 'svelte/attachments';
import { follow } from './place';

const DELAY_MS = 450;
const ID = 'stoa-tooltip';

let bubble: HTMLElement | undefined;
let owner: Element | undefined;
let stop: (() => void) | undefined;

function show(target: HTMLElement, text: string) {
	// In the target's own modal dialog, else it would be inert; in its own landmark, so that no text stands outside one.
	const root = target.closest('dialog, main, nav, aside, header, footer') ?? document.body;
	bubble ??= document.createElement('div');
	bubble.id = ID;
	bubble.className = 'stoa-tooltip';
	bubble.setAttribute('role', 'tooltip');
	bubble.popover = 'manual';
	bubble.textContent = text;
	root.append(bubble);
	bubble.showPopover();
	stop?.();
	stop = follow(bubble, () => target.getBoundingClientRect(), { side: 'top', align: 'center' });
	owner = target;
	// The name of an icon button repeats in its tooltip; only other text is a description.
	if (target.getAttribute('aria-label') !== text) target.setAttribute('aria-describedby', ID);
}

function hide(target: Element) {
	if (owner !== target) return;
	stop?.();
	stop = undefined;
	owner = undefined;
	bubble?.remove();
	if (target.getAttribute('aria-describedby') === ID) target.removeAttribute('aria-describedby');
}

/** Attaches a tooltip. An empty or absent text attaches nothing. */
export function tooltip(text: string | undefined): Attachment<HTMLElement> {
	return (element) => {
		if (!text || typeof element.showPopover !== 'function') return;
		let timer: ReturnType<typeof setTimeout> | undefined;
		const cancel = () => {
			clearTimeout(timer);
			timer = undefined;
		};
		const enter = (event: PointerEvent) => {
			if (event.pointerType === 'touch') return;
			cancel();
			timer = setTimeout(() => {
				show(element, text);
			}, DELAY_MS);
		};
		const leave = () => {
			cancel();
			hide(element);
		};
		const focus = () => {
			if (!element.matches(':focus-visible')) return;
			cancel();
			// Not at once: focus that comes back from a menu arrives while that menu is still being hidden.
			timer = setTimeout(() => {
				show(element, text);
			});
		};
		const key = (event: KeyboardEvent) => {
			if (event.key === 'Escape' && owner === element) leave();
		};
		element.addEventListener('pointerenter', enter);
		element.addEventListener('pointerleave', leave);
		element.addEventListener('pointerdown', leave);
		element.addEventListener('focus', focus);
		element.addEventListener('blur', leave);
		element.addEventListener('keydown', key);
		return () => {
			leave();
			element.removeEventListener('pointerenter', enter);
			element.removeEventListener('pointerleave', leave);
			element.removeEventListener('pointerdown', leave);
			element.removeEventListener('focus', focus);
			element.removeEventListener('blur', leave);
			element.removeEventListener('keydown', key);
		};
	};
}
