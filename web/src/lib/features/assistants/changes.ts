import {
	call,
	client,
	type Assistant,
	type AssistantFile,
	type AssistantProfile,
	type AssistantShare,
	type NewAssistantShare
} from '$lib/api';
import { assistants } from './catalogue.svelte';
import { inOrder } from './order';

/** What changes assistants: on the server, and then in the catalogue that all pages read. Each throws a `Problem`. */

function put(changed: Assistant): Assistant {
	const { items } = assistants;
	const known = items.some(({ id }) => id === changed.id);
	assistants.items = inOrder(
		known ? items.map((item) => (item.id === changed.id ? changed : item)) : [changed, ...items]
	);
	return changed;
}

export async function create(profile: AssistantProfile): Promise<Assistant> {
	return put(await call(client.POST('/api/v1/assistants', { body: profile })));
}

export async function change(
	id: string,
	body: { profile?: AssistantProfile; pinned?: boolean }
): Promise<Assistant> {
	const path = { id };
	return put(await call(client.PATCH('/api/v1/assistants/{id}', { params: { path }, body })));
}

/** Gives an assistant a picture for its face, or takes it away. */
export async function setPicture(id: string, picture: Blob | null): Promise<void> {
	const params = { path: { id } };
	const path = '/api/v1/assistants/{id}/picture';
	if (!picture) return void put(await call(client.DELETE(path, { params })));
	const request = client.PUT(path, {
		params,
		// The bytes as they are; the document knows them as a text.
		body: picture as unknown as string,
		bodySerializer: (bytes: string) => bytes,
		headers: { 'content-type': 'application/octet-stream' }
	});
	put(await call(request));
}

export async function duplicate(id: string): Promise<Assistant> {
	const path = { id };
	return put(await call(client.POST('/api/v1/assistants/{id}/duplicate', { params: { path } })));
}

/** Takes one away; {@link restore} brings it back to its place. */
export async function remove(id: string): Promise<void> {
	const path = { id };
	await call(client.DELETE('/api/v1/assistants/{id}', { params: { path } }));
	assistants.items = assistants.items.filter((item) => item.id !== id);
}

export async function restore(id: string): Promise<void> {
	const path = { id };
	await call(client.POST('/api/v1/assistants/{id}/restore', { params: { path } }));
	await assistants.load();
}

/** Shows the new order at once, and the old one again when the server refuses. */
export async function reorder(items: Assistant[]): Promise<void> {
	const before = assistants.items;
	assistants.items = items;
	try {
		const body = { ids: items.map(({ id }) => id) };
		await call(client.PUT('/api/v1/assistants/order', { body }));
	} catch (caught) {
		assistants.items = before;
		throw caught;
	}
}

/** One of them as a file, or all. */
export function exported(id?: string): Promise<AssistantFile> {
	return call(client.GET('/api/v1/assistants/export', { params: { query: id ? { id } : {} } }));
}

/** Makes the assistants of a file, all or none, and says how many. What the file holds is for the server to judge. */
export async function importFile(file: unknown): Promise<number> {
	const body = file as AssistantFile;
	const { items } = await call(client.POST('/api/v1/assistants/import', { body }));
	await assistants.load();
	return items.length;
}

/** Notes that somebody else may use an assistant, or nobody. */
function noteShared(id: string, shared: boolean): void {
	assistants.items = assistants.items.map((item) => (item.id === id ? { ...item, shared } : item));
}

export async function shareAssistant(id: string, body: NewAssistantShare): Promise<AssistantShare> {
	const made = await call(client.POST('/api/v1/assistants/{id}/shares', { params: { path: { id } }, body }));
	noteShared(id, true);
	return made;
}

/** Takes a share of an assistant back; `others` tells whether it has more. */
export async function unshareAssistant(assistant: string, share: string, others: boolean): Promise<void> {
	await call(client.DELETE('/api/v1/assistant-shares/{id}', { params: { path: { id: share } } }));
	noteShared(assistant, others);
}
