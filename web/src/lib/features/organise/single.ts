import { mount, unmount } from 'svelte';
import type { Conversation } from '$lib/api';
import { titleOf } from '$lib/features/conversations';
import { m } from '$lib/i18n';
import { toasts } from '$lib/ui';
import { organise } from './organise';
import OrganiseDialog from './OrganiseDialog.svelte';

/** Puts a conversation into the archive, or takes it out; either can be undone. */
export async function archive({ id, title, archived }: Conversation): Promise<void> {
	if (!(await organise([id], { archived: !archived }))) return;
	const words = { title: titleOf({ title }) };
	toasts.show(archived ? m.unarchived(words) : m.archived(words), {
		action: { label: m.undo(), run: async () => void (await organise([id], { archived })) }
	});
}

/** Opens the dialog for the project and the tags of a conversation. */
export function openOrganise(conversation: Conversation): void {
	const dialog = mount(OrganiseDialog, {
		target: document.body,
		props: { conversation, onclosed: () => void unmount(dialog) }
	});
}
