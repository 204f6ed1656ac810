import type { AssistantFolder } from '$lib/api';
import { m } from '$lib/i18n';
import { toasts, type MenuEntry } from '$lib/ui';
import ArrowDown from '@lucide/svelte/icons/arrow-down';
import ArrowUp from '@lucide/svelte/icons/arrow-up';
import Pencil from '@lucide/svelte/icons/pencil';
import Trash from '@lucide/svelte/icons/trash-2';
import { attempt } from './actions';
import { folders } from './folders.svelte';
import { openFolderName } from './single';

async function takeAway({ id, name }: AssistantFolder): Promise<void> {
	let lay: string[] = [];
	if (!(await attempt(async () => (lay = await folders.remove(id))))) return;
	const putBack = async () => {
		const { id } = await folders.create(name);
		for (const one of lay) await folders.put(one, id);
	};
	toasts.show(m.folders_deleted({ name }), {
		action: { label: m.undo(), run: async () => void (await attempt(putBack)) }
	});
}

/** What can be done with a folder, for its menu. */
export function folderActions(folder: AssistantFolder, onmoved: () => void): MenuEntry[] {
	const move = (step: -1 | 1) => () => void attempt(() => folders.move(folder.id, step)).then(onmoved);
	return [
		{ label: m.folders_rename(), icon: Pencil, onselect: () => openFolderName(folder) },
		{
			label: m.folders_move_up(),
			icon: ArrowUp,
			disabled: !folders.moves(folder.id, -1),
			onselect: move(-1)
		},
		{
			label: m.folders_move_down(),
			icon: ArrowDown,
			disabled: !folders.moves(folder.id, 1),
			onselect: move(1)
		},
		'separator',
		{ label: m.folders_delete(), icon: Trash, danger: true, onselect: () => void takeAway(folder) }
	];
}
