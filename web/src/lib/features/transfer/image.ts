// A conversation as an image: the branch that is shown, drawn out of sight.
import { mount, unmount } from 'svelte';
import type { Conversation } from '$lib/api';
import { titleOf } from '$lib/features/conversations';
import { session } from '$lib/session.svelte';
import { branchOf } from './branch';
import { drawn, TooTall } from './draw';
import Sheet from './Sheet.svelte';

const MOST_MESSAGES = 100;
/** So long nothing must have changed for it to be drawn to its end. */
const QUIET_MS = 400;
const PATIENCE_MS = 15_000;

/** Resolves when nothing has changed in `node` for a moment, and its pictures and fonts are there. */
async function settled(node: HTMLElement): Promise<void> {
	await new Promise<void>((resolve) => {
		let timer = setTimeout(done, QUIET_MS);
		const late = setTimeout(done, PATIENCE_MS);
		const observer = new MutationObserver(() => {
			clearTimeout(timer);
			timer = setTimeout(() => (node.querySelector('.pending') ? undefined : done()), QUIET_MS);
		});
		observer.observe(node, { subtree: true, childList: true, characterData: true, attributes: true });
		function done() {
			observer.disconnect();
			clearTimeout(timer);
			clearTimeout(late);
			resolve();
		}
	});
	await Promise.all([...node.querySelectorAll('img')].map((image) => image.decode().catch(() => undefined)));
	await document.fonts.ready;
}

/** Lets the browser keep the image. Throws {@link TooTall} for what is longer than an image can be. */
export async function saveImage(conversation: Conversation): Promise<void> {
	const messages = await branchOf(conversation, MOST_MESSAGES);
	if (!messages) throw new TooTall();
	const room = document.createElement('div');
	room.setAttribute('aria-hidden', 'true');
	room.inert = true;
	room.style.cssText = 'position:fixed;inset-block-start:0;inset-inline-start:-10000px';
	document.body.append(room);
	const title = titleOf(conversation);
	const sheet = mount(Sheet, { target: room, props: { title, owner: session.me?.name ?? '', messages } });
	try {
		for (const image of room.querySelectorAll('img')) image.loading = 'eager';
		await settled(room);
		const node = room.firstElementChild;
		if (!(node instanceof HTMLElement)) throw new TooTall();
		const link = document.createElement('a');
		link.href = URL.createObjectURL(await drawn(node));
		link.download = `${title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'conversation'}.png`;
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
	} finally {
		void unmount(sheet);
		room.remove();
	}
}
