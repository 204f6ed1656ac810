import { mount, unmount } from 'svelte';
import type { Conversation } from '$lib/api';
import ShareDialog from './ShareDialog.svelte';

/** Opens the dialog that makes a link to a conversation. */
export function openShare(conversation: Conversation): void {
	const dialog = mount(ShareDialog, {
		target: document.body,
		props: { conversation, onclosed: () => void unmount(dialog) }
	});
}
