// Threads outside the page: made, and the last few kept.
import { Thread } from './thread.svelte';

/** Makes a thread that outlives the component that asks for it: what is derived in it would end with that one. */
export function makeThread(...of: ConstructorParameters<typeof Thread>): Thread {
	let made!: Thread;
	$effect.root(() => {
		made = new Thread(...of);
	});
	return made;
}

const kept: Thread[] = [];
const KEPT = 6;

/** The thread of a conversation; the last few stay in memory, so that going back shows them at once. */
export function threadOf(id: string): Thread {
	const known = kept.find((thread) => thread.id === id);
	if (known) kept.splice(kept.indexOf(known), 1);
	const thread = known ?? makeThread(id);
	keep(thread);
	return thread;
}

/** Keeps a thread whose conversation has just been made. */
export function keep(thread: Thread): void {
	if (!kept.includes(thread)) kept.push(thread);
	if (kept.length > KEPT) kept.shift();
}
