// Keeps a floating element (in the browser's top layer) beside its anchor and inside the window.

export interface Placement {
	side?: 'bottom' | 'top';
	align?: 'start' | 'end' | 'center';
	gap?: number;
}

export interface Box {
	left: number;
	top: number;
	right: number;
	bottom: number;
}

const MARGIN = 8;

/** Where a floating element of the given size goes. Pure, so that it can be tested. */
export function position(
	anchor: Box,
	size: { width: number; height: number },
	view: { width: number; height: number },
	{ side = 'bottom', align = 'start', gap = 6 }: Placement = {}
): { left: number; top: number; maxHeight: number; side: 'bottom' | 'top' } {
	const below = view.height - anchor.bottom - gap - MARGIN;
	const above = anchor.top - gap - MARGIN;
	const wanted = side === 'bottom' ? below : above;
	const other = side === 'bottom' ? above : below;
	const flipped = size.height > wanted && other > wanted;
	const final = flipped ? (side === 'bottom' ? 'top' : 'bottom') : side;
	const room = Math.max(0, final === 'bottom' ? below : above);
	const height = Math.min(size.height, room);
	const top = final === 'bottom' ? anchor.bottom + gap : anchor.top - gap - height;
	const middle = (anchor.left + anchor.right - size.width) / 2;
	const ideal = align === 'start' ? anchor.left : align === 'end' ? anchor.right - size.width : middle;
	const left = Math.max(MARGIN, Math.min(ideal, view.width - size.width - MARGIN));
	return { left, top: Math.max(MARGIN, top), maxHeight: room, side: final };
}

/** Places `floating` beside the anchor now and whenever the page moves or it grows; returns the function that stops it. */
export function follow(floating: HTMLElement, anchor: () => Box, placement: Placement): () => void {
	let frame = 0;
	const apply = () => {
		frame = 0;
		floating.style.maxHeight = '';
		const size = { width: floating.offsetWidth, height: floating.offsetHeight };
		const view = { width: document.documentElement.clientWidth, height: window.innerHeight };
		const at = position(anchor(), size, view, placement);
		floating.style.left = `${String(at.left)}px`;
		floating.style.top = `${String(at.top)}px`;
		floating.style.maxHeight = `${String(at.maxHeight)}px`;
	};
	const later = () => {
		if (frame === 0) frame = requestAnimationFrame(apply);
	};
	const moved = (event: Event) => {
		// The element's own inner scrolling does not move it.
		if (event.target instanceof Node && floating.contains(event.target)) return;
		later();
	};
	apply();
	// What it shows may come later, and grow.
	const grown = new ResizeObserver(later);
	grown.observe(floating);
	window.addEventListener('resize', later);
	window.addEventListener('scroll', moved, true);
	return () => {
		if (frame !== 0) cancelAnimationFrame(frame);
		grown.disconnect();
		window.removeEventListener('resize', later);
		window.removeEventListener('scroll', moved, true);
	};
}
