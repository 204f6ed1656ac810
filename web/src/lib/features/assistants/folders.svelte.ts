import { call, client, Problem, type AssistantFolder } from '$lib/api';
import { assistants } from './catalogue.svelte';

/** The folders that assistants are kept in, in the order of whoever is signed in. What changes them throws a `Problem`. */
class Folders {
	items = $state.raw<AssistantFolder[]>([]);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);

	async load(): Promise<void> {
		try {
			this.items = (await call(client.GET('/api/v1/assistant-folders'))).items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}

	async create(name: string): Promise<AssistantFolder> {
		const made = await call(client.POST('/api/v1/assistant-folders', { body: { name } }));
		this.items = [...this.items, made];
		return made;
	}

	/** Changes one here at once and on the server; put back when the server refuses. */
	async change(id: string, change: { name?: string; collapsed?: boolean }): Promise<void> {
		const before = this.items;
		this.items = before.map((one) => (one.id === id ? { ...one, ...change } : one));
		try {
			const params = { path: { id } };
			await call(client.PATCH('/api/v1/assistant-folders/{id}', { params, body: change }));
		} catch (caught) {
			this.items = before;
			throw caught;
		}
	}

	/** Whether a folder has another before it (-1) or after it (1). */
	moves(id: string, step: -1 | 1): boolean {
		return this.items[this.items.findIndex((one) => one.id === id) + step] !== undefined;
	}

	async move(id: string, step: -1 | 1): Promise<void> {
		const before = this.items;
		const from = before.findIndex((one) => one.id === id);
		const [one, other] = [before[from], before[from + step]];
		if (!one || !other) return;
		this.items = before.map((item) => (item === one ? other : item === other ? one : item));
		try {
			const body = { ids: this.items.map(({ id }) => id) };
			await call(client.PUT('/api/v1/assistant-folders/order', { body }));
		} catch (caught) {
			this.items = before;
			throw caught;
		}
	}

	/** Takes one away, and says what lay in it. */
	async remove(id: string): Promise<string[]> {
		await call(client.DELETE('/api/v1/assistant-folders/{id}', { params: { path: { id } } }));
		this.items = this.items.filter((one) => one.id !== id);
		const lay = [...assistants.items, ...assistants.others].filter(({ folder_id }) => folder_id === id);
		for (const one of lay) note(one.id, null);
		return lay.map((one) => one.id);
	}

	/** Puts an assistant into a folder, or out of the one that it lies in. */
	async put(assistant: string, folder: string | null): Promise<void> {
		const before = assistants.find(assistant)?.folder_id;
		if (before === undefined || before === folder) return;
		note(assistant, folder);
		try {
			const params = { path: { id: assistant } };
			const body = { folder_id: folder };
			await call(client.PUT('/api/v1/assistants/{id}/folder', { params, body }));
		} catch (caught) {
			note(assistant, before);
			throw caught;
		}
	}
}

function note(assistant: string, folder: string | null): void {
	const put = <Item extends { id: string; folder_id: string | null }>(item: Item): Item =>
		item.id === assistant ? { ...item, folder_id: folder } : item;
	assistants.items = assistants.items.map(put);
	assistants.others = assistants.others.map(put);
}

export const folders = new Folders();
