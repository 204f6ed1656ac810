import { toasts } from '$lib/ui';
import { m } from '$lib/i18n';
import type { Project } from '$lib/api';
import { organise } from '$lib/features/organise';

/** The conversation of an address, if it is one: what a row of the list gives when it is dragged. */
export function conversationOf(address: string, origin: string): string | null {
	const url = URL.parse(address, origin);
	return url?.origin === origin ? (/^\/c\/([0-9a-f-]{36})$/.exec(url.pathname)?.[1] ?? null) : null;
}

/** Whether what is dragged is a link, which alone may be a conversation; its address is told only when it is dropped. */
export const mayDrop = (event: DragEvent) => event.dataTransfer?.types.includes('text/uri-list') ?? false;

/** Moves the conversation that was dropped into the project. */
export async function dropped(event: DragEvent, project: Project): Promise<void> {
	const id = conversationOf(event.dataTransfer?.getData('text/uri-list') ?? '', location.origin);
	if (!id) return;
	event.preventDefault();
	if (await organise([id], { project_id: project.id })) {
		toasts.show(m.project_moved({ count: 1, name: project.name }), { tone: 'good' });
	}
}
