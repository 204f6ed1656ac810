/**
 * Brings the children of `target` to those of `wanted` with as few changes as it takes, so that a selection, a scrolled
 * table or an opened detail survives while the end of an answer is still being written.
 */
export function morph(target: Node, wanted: Node): void {
	let current = target.firstChild;
	let next = wanted.firstChild;
	while (next) {
		const following: ChildNode | null = next.nextSibling;
		if (!current) {
			target.appendChild(next);
		} else {
			const after: ChildNode | null = current.nextSibling;
			if (!patch(current, next)) target.replaceChild(next, current);
			current = after;
		}
		next = following;
	}
	while (current) {
		const after: ChildNode | null = current.nextSibling;
		current.remove();
		current = after;
	}
}

/** Makes `current` into `next` if they are of one kind. */
function patch(current: ChildNode, next: ChildNode): boolean {
	if (current.nodeType !== next.nodeType || current.nodeName !== next.nodeName) return false;
	if (current instanceof Element && next instanceof Element) {
		// A drawn formula is of one piece.
		if (current.hasAttribute('data-drawn') || next.hasAttribute('data-drawn')) {
			return current.getAttribute('data-drawn') === next.getAttribute('data-drawn');
		}
		const open = current.nodeName === 'DETAILS';
		for (const { name } of [...current.attributes]) {
			if (!next.hasAttribute(name) && !(open && name === 'open')) current.removeAttribute(name);
		}
		for (const { name, value } of next.attributes) {
			if (current.getAttribute(name) !== value) current.setAttribute(name, value);
		}
		morph(current, next);
	} else if (current.nodeValue !== next.nodeValue) {
		current.nodeValue = next.nodeValue;
	}
	return true;
}
