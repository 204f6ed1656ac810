import { folders } from './folders.svelte';

/** The assistant of an address, if it is one: what a card gives when it is dragged. */
export function assistantOf(address: string, origin: string): string | null {
	const url = URL.parse(address, origin);
	if (url?.origin !== origin || url.pathname !== '/') return null;
	return /^[0-9a-f-]{36}$/.exec(url.searchParams.get('assistant') ?? '')?.[0] ?? null;
}

/** Puts the assistant that was dropped into the folder, or out of the one that it lies in. */
export async function dropped(event: DragEvent, folder: string | null): Promise<void> {
	const id = assistantOf(event.dataTransfer?.getData('text/uri-list') ?? '', location.origin);
	if (!id) return;
	event.preventDefault();
	await folders.put(id, folder);
}
