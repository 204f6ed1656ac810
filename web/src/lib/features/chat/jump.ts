import { tick } from 'svelte';
import type { VirtualizerHandle } from 'virtua/svelte';
import { goto } from '$app/navigation';
import { call, client, Problem } from '$lib/api';
import { conversations } from '$lib/features/conversations';
import type { Follower } from '$lib/features/scroll';
import { m } from '$lib/i18n';
import { problemWords, toasts } from '$lib/ui';
import type { Thread } from './thread.svelte';

const PAGE = 50;
/** How long the message that somebody was led to stands out. */
const MARKED_MS = 2_500;
/** How long the heights of messages that are drawn anew may push the wanted one away before it is left where it is. */
const SETTLE_MS = 1_200;
const STEP_MS = 80;

/** Brings the messages around this one into the thread, on the branch that it is on. False when it is not there. */
async function bring(thread: Thread, message: string): Promise<boolean> {
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
async function settle(scroller: HTMLElement, message: string, scroll: () => boolean): Promise<void> {
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

/** The list of messages, as far as somebody is led about in it. */
interface View {
	thread: Thread;
	follower: Follower;
	scroller: () => HTMLElement | undefined;
	list: () => VirtualizerHandle | undefined;
	/** The message that stands out; given one, or null, that one does from now on. */
	marked: (id?: string | null) => string | null;
}

/** Leads the reader to a message, wherever in the conversation it is. */
export async function jump(message: string, view: View): Promise<void> {
	const { thread, follower, marked } = view;
	follower.stay();
	const there = await bring(thread, message);
	const address = new URL(location.href);
	address.searchParams.delete('message');
	await goto(address, { replaceState: true, noScroll: true, keepFocus: true });
	const scroller = view.scroller();
	if (!there || !scroller) return;
	follower.stay();
	await tick();
	marked(message);
	setTimeout(() => marked() === message && marked(null), MARKED_MS);
	const index = thread.messages.findIndex(({ id }) => id === message);
	await settle(scroller, message, () => {
		if (marked() !== message) return false;
		view.list()?.scrollToIndex(index, { align: 'center' });
		return true;
	});
	// A short conversation is seen to its end all the same, and goes on being followed.
	const rest = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
	if (!thread.end && rest < 2) follower.toEnd();
}
