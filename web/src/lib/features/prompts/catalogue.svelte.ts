import { call, client, Problem, type Prompt, type PromptProfile } from '$lib/api';

/** The reader's own prompts, by their names. */
class Prompts {
	items = $state.raw<Prompt[]>([]);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);

	async load(): Promise<void> {
		try {
			this.items = (await call(client.GET('/api/v1/prompts'))).items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}

	/** Keeps a new prompt, or another wording of one. Throws a {@link Problem}. */
	async save(id: string | null, profile: PromptProfile): Promise<void> {
		const saved = id
			? await call(client.PUT('/api/v1/prompts/{id}', { params: { path: { id } }, body: profile }))
			: await call(client.POST('/api/v1/prompts', { body: profile }));
		const others = this.items.filter((prompt) => prompt.id !== saved.id);
		this.items = [...others, saved].sort((one, other) => one.name.localeCompare(other.name));
	}

	async remove(id: string): Promise<void> {
		await call(client.DELETE('/api/v1/prompts/{id}', { params: { path: { id } } }));
		this.items = this.items.filter((prompt) => prompt.id !== id);
	}
}

export const prompts = new Prompts();
