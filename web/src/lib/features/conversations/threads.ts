// What can be done with a thread. It comes with the panel that shows one.
import type { Conversation } from '$lib/api';
import { m } from '$lib/i18n';
import { toasts, type MenuEntry } from '$lib/ui';
import Pencil from '@lucide/svelte/icons/pencil';
import Trash from '@lucide/svelte/icons/trash-2';
import { failed } from './actions';
import { conversations } from './list.svelte';

/** Deletes a thread, which its conversation shows no more. */
async function removeThread(thread: Conversation, gone: () => void): Promise<void> {
	try {
		await conversations.remove(thread.id);
	} catch (caught) {
		failed(caught);
		return;
	}
	gone();
	toasts.show(m.thread_deleted(), {
		action: { label: m.undo(), run: () => conversations.restore(thread.id).catch(failed) }
	});
}

/** What can be done with a thread, beside what is said in it. */
export function threadActions(
	thread: Conversation,
	{ rename, gone }: { rename: () => void; gone: () => void }
): MenuEntry[] {
	return [
		{ label: m.rename(), icon: Pencil, onselect: rename },
		'separator',
		{
			label: m.thread_delete(),
			icon: Trash,
			danger: true,
			onselect: () => void removeThread(thread, gone)
		}
	];
}
