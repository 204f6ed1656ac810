import { call, client, type Assistant, type AssistantFile, type AssistantProfile } from '$lib/api';
import { assistants } from './catalogue.svelte';
import { inOrder } from './order';

/** What changes assistants: on the server, and then in the catalogue that all pages read. Each throws a `Problem`. */

function put(changed: Assistant): Assistant {
	const known = assistants.find(changed.id) !== undefined;
	const { items } = assistants;
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
