import { goto } from '$app/navigation';
import { Problem, type AnyAssistant, type Assistant, type SharedAssistant } from '$lib/api';
import { m } from '$lib/i18n';
import { problemWords, toasts, type MenuEntry } from '$lib/ui';
import ArrowLeft from '@lucide/svelte/icons/arrow-left';
import ArrowRight from '@lucide/svelte/icons/arrow-right';
import Copy from '@lucide/svelte/icons/copy';
import Download from '@lucide/svelte/icons/download';
import FolderInput from '@lucide/svelte/icons/folder-input';
import MessagesSquare from '@lucide/svelte/icons/messages-square';
import Pencil from '@lucide/svelte/icons/pencil';
import Pin from '@lucide/svelte/icons/pin';
import PinOff from '@lucide/svelte/icons/pin-off';
import Trash from '@lucide/svelte/icons/trash-2';
import Users from '@lucide/svelte/icons/users';
import { change, duplicate, exported, remove, restore } from './changes';
import { save } from './files';
import { openFolderChoice, openSharing } from './single';

/** Does something with an assistant, and says so where it cannot be done. True when it was done. */
export async function attempt(act: () => Promise<unknown>): Promise<boolean> {
	try {
		await act();
		return true;
	} catch (caught) {
		const { title, detail } = problemWords(Problem.from(caught));
		toasts.show(detail ? `${title}. ${detail}` : title, { tone: 'bad' });
		return false;
	}
}

async function copy({ id }: Assistant): Promise<void> {
	const { name } = await duplicate(id);
	toasts.show(m.assistants_copied({ name }), { tone: 'good' });
}

async function takeAway({ id, name }: Assistant): Promise<void> {
	if (!(await attempt(() => remove(id)))) return;
	toasts.show(m.assistants_deleted({ name }), {
		action: { label: m.undo(), run: async () => void (await attempt(() => restore(id))) }
	});
}

/** Where it may be moved to: null where there is nothing to move past. */
export interface Moves {
	before: (() => void) | null;
	after: (() => void) | null;
}

const conversationsOf = (id: string): MenuEntry => ({
	label: m.assistants_conversations(),
	icon: MessagesSquare,
	onselect: () => void goto(`/conversations?assistant=${id}`)
});
const intoFolder = (assistant: AnyAssistant): MenuEntry => ({
	label: m.folders_move(),
	icon: FolderInput,
	onselect: () => openFolderChoice(assistant)
});

/** What can be done with an assistant of somebody else's. */
export function sharedActions(assistant: SharedAssistant): MenuEntry[] {
	return [conversationsOf(assistant.id), intoFolder(assistant)];
}

/** What can be done with an assistant, for its menus. */
export function assistantActions(assistant: Assistant, moves: Moves): MenuEntry[] {
	const { id, name, pinned } = assistant;
	return [
		{ label: m.assistants_edit(), icon: Pencil, onselect: () => void goto(`/assistants/${id}`) },
		conversationsOf(id),
		{ label: m.assistants_share(), icon: Users, onselect: () => openSharing(assistant) },
		'separator',
		{
			label: pinned ? m.unpin() : m.pin(),
			icon: pinned ? PinOff : Pin,
			onselect: () => void attempt(() => change(id, { pinned: !pinned }))
		},
		{
			label: m.assistants_move_before(),
			icon: ArrowLeft,
			disabled: !moves.before,
			onselect: moves.before ?? undefined
		},
		{
			label: m.assistants_move_after(),
			icon: ArrowRight,
			disabled: !moves.after,
			onselect: moves.after ?? undefined
		},
		intoFolder(assistant),
		{ label: m.assistants_duplicate(), icon: Copy, onselect: () => void attempt(() => copy(assistant)) },
		{
			label: m.assistants_export(),
			icon: Download,
			onselect: () => void attempt(async () => save(await exported(id), name))
		},
		'separator',
		{ label: m.assistants_delete(), icon: Trash, danger: true, onselect: () => void takeAway(assistant) }
	];
}
