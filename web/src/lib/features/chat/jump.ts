import { call, client, Problem } from '$lib/api';
import { conversations } from '$lib/features/conversations';
import { m } from '$lib/i18n';
import { problemWords, toasts } from '$lib/ui';
import type { Thread } from './thread.svelte';

const PAGE = 50;
/** How long the heights of messages that are drawn anew may push the wanted one away before it is left where it is. */
const SETTLE_MS = 1_200;
const STEP_MS = 80;

/** Brings the messages around this one into the thread, on the branch that it is on. False when it is not there. */
export async function bring(thread: Thread, message: string): Promise<boolean> {
	if (!thread.id) return false;
	const path = { id: thread.id };
	try {
		const query = { around: message, limit: PAGE };
		const page = await call(client.GET('/api/v1/conversations/{id}/messages', { params: { path, query } }));
		if (page.leaf_id !== thread.conversation?.leaf_id) {
			await conversations.change(thread.id, { leaf_id: message });
		}
		thread.messages = page.items;
		thread.hasOlder = page.has_more;
		thread.end = page.has_newer ? page.leaf_id : null;
		// An answer at the end may still be growing.
		if (!thread.end) await thread.read();
		return true;
	} catch (caught) {
		const problem = Problem.from(caught);
		const title = problem.status === 404 ? m.search_gone() : problemWords(problem).title;
		toasts.show(title, { tone: 'bad' });
		return false;
	}
}

let loading = false;

/** Brings what follows the last message that is there. `before` is called when it is about to be shown. */
export async function bringNewer(thread: Thread, before: () => void): Promise<void> {
	const last = thread.last;
	if (!thread.id || !thread.end || !last || loading) return;
	loading = true;
	try {
		const path = { id: thread.id };
		const query = { after: last.id, leaf: thread.end, limit: PAGE };
		const page = await call(client.GET('/api/v1/conversations/{id}/messages', { params: { path, query } }));
		if (thread.last?.id !== last.id || !thread.end) return;
		before();
		thread.messages = [...thread.messages, ...page.items];
		if (page.has_newer) return;
		thread.end = null;
		void thread.read();
	} catch (caught) {
		toasts.show(problemWords(Problem.from(caught)).title, { tone: 'bad' });
	} finally {
		loading = false;
	}
}

/**
 * Scrolls until the message stays in what is seen, or the reader moves, or `scroll` says that it is not wanted any more.
 * Gives it the focus.
 */
export async function settle(scroller: HTMLElement, message: string, scroll: () => boolean): Promise<void> {
	const reader = new AbortController();
	const { signal } = reader;
	for (const event of ['wheel', 'touchstart', 'keydown', 'pointerdown']) {
		scroller.addEventListener(event, () => reader.abort(), { passive: true, signal });
	}
	const find = () => scroller.querySelector<HTMLElement>(`[data-message="${message}"]`);
	const begun = performance.now();
	while (!signal.aborted && performance.now() - begun < SETTLE_MS) {
		const box = find()?.getBoundingClientRect();
		const view = scroller.getBoundingClientRect();
		const above = box ? box.top < view.top : true;
		const below = box ? box.top > view.bottom - Math.min(box.height, view.height / 2) : true;
		if ((above || below) && !scroll()) return reader.abort();
		await new Promise((done) => setTimeout(done, STEP_MS));
	}
	const moved = signal.aborted;
	reader.abort();
	if (!moved) find()?.focus({ preventScroll: true });
}
