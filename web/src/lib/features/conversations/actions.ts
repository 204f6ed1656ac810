import { goto } from '$app/navigation';
import { Problem, type Conversation } from '$lib/api';
import { m } from '$lib/i18n';
import { problemWords, toasts, type MenuEntry } from '$lib/ui';
import Archive from '@lucide/svelte/icons/archive';
import Download from '@lucide/svelte/icons/download';
import Folders from '@lucide/svelte/icons/folders';
import Pencil from '@lucide/svelte/icons/pencil';
import Pin from '@lucide/svelte/icons/pin';
import PinOff from '@lucide/svelte/icons/pin-off';
import Share from '@lucide/svelte/icons/share-2';
import Trash from '@lucide/svelte/icons/trash-2';
import { conversations } from './list.svelte';

export function failed(caught: unknown): void {
	const { title, detail } = problemWords(Problem.from(caught));
	toasts.show(detail ? `${title}. ${detail}` : title, { tone: 'bad' });
}

async function pin(conversation: Conversation): Promise<void> {
	try {
		await conversations.change(conversation.id, { pinned: !conversation.pinned });
	} catch (caught) {
		failed(caught);
	}
}

async function remove(conversation: Conversation): Promise<void> {
	const open = location.pathname === `/c/${conversation.id}`;
	try {
		await conversations.remove(conversation.id);
	} catch (caught) {
		failed(caught);
		return;
	}
	if (open) void goto('/');
	toasts.show(m.conversation_deleted({ title: titleOf(conversation) }), {
		action: {
			label: m.undo(),
			run: async () => {
				try {
					await conversations.restore(conversation.id);
					if (open) await goto(`/c/${conversation.id}`);
				} catch (caught) {
					failed(caught);
				}
			}
		}
	});
}

/** What is needed for few conversations only comes when it is asked for. */
const organise = () => import('$lib/features/organise');
const transfer = () => import('$lib/features/transfer/single');

/** The title to show: a conversation has none until its first answer. */
export function titleOf(conversation: Pick<Conversation, 'title'> | undefined): string {
	return conversation?.title || m.untitled();
}

/** What can be done with a conversation, for its menus. Renaming opens a dialog of the caller. */
export function conversationActions(conversation: Conversation, rename: () => void): MenuEntry[] {
	return [
		{ label: m.rename(), icon: Pencil, onselect: rename },
		{
			label: conversation.pinned ? m.unpin() : m.pin(),
			icon: conversation.pinned ? PinOff : Pin,
			onselect: () => void pin(conversation)
		},
		{
			label: m.organise(),
			icon: Folders,
			onselect: () => void organise().then((there) => there.openOrganise(conversation))
		},
		{
			label: conversation.archived ? m.unarchive() : m.archive(),
			icon: Archive,
			onselect: () => void organise().then((there) => there.archive(conversation))
		},
		{
			label: m.share_menu(),
			icon: Share,
			onselect: () => void transfer().then((there) => there.openShare(conversation))
		},
		{
			label: m.export_menu(),
			icon: Download,
			onselect: () => void transfer().then((there) => there.openExport(conversation))
		},
		'separator',
		{ label: m.delete_conversation(), icon: Trash, danger: true, onselect: () => void remove(conversation) }
	];
}
