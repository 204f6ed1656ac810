import { mount, unmount } from 'svelte';
import type { Conversation } from '$lib/api';
import ExportDialog from './ExportDialog.svelte';

/** Opens the dialog with the forms in which a conversation can be kept. */
export function openExport(conversation: Conversation): void {
	const dialog = mount(ExportDialog, {
		target: document.body,
		props: { conversation, onclosed: () => void unmount(dialog) }
	});
}
