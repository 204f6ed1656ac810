import { mount, unmount } from 'svelte';
import type { AnyAssistant, Assistant, AssistantFolder } from '$lib/api';
import FolderChoice from './FolderChoice.svelte';
import FolderName from './FolderName.svelte';
import SharingDialog from './SharingDialog.svelte';

/** Opens the dialog that says, and changes, whom an assistant is shared with. */
export function openSharing(assistant: Assistant): void {
	const dialog = mount(SharingDialog, {
		target: document.body,
		props: { assistant, onclosed: () => void unmount(dialog) }
	});
}

/** Opens the dialog that puts an assistant into a folder. */
export function openFolderChoice(assistant: AnyAssistant): void {
	const dialog = mount(FolderChoice, {
		target: document.body,
		props: { assistant, onclosed: () => void unmount(dialog) }
	});
}

/** Opens the dialog that makes a folder, or gives one another name. */
export function openFolderName(folder: AssistantFolder | null): void {
	const dialog = mount(FolderName, {
		target: document.body,
		props: { folder, onclosed: () => void unmount(dialog) }
	});
}
