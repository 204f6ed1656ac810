import { call, client, Problem, type Project, type ProjectProfile } from '$lib/api';

/** The projects of whoever is signed in, by their names. */
class Projects {
	items = $state.raw<Project[]>([]);
	loaded = $state(false);
	problem = $state.raw<Problem | null>(null);
	#loading: Promise<void> | null = null;

	/** Reads the list; calls at the same time share one request. */
	load(): Promise<void> {
		this.#loading ??= this.#read().finally(() => (this.#loading = null));
		return this.#loading;
	}

	find(id: string | null | undefined): Project | undefined {
		return this.items.find((project) => project.id === id);
	}

	/** Makes a project, or writes the one with this id anew. */
	async save(id: string | null, body: ProjectProfile): Promise<Project> {
		const project = id
			? await call(client.PUT('/api/v1/projects/{id}', { params: { path: { id } }, body }))
			: await call(client.POST('/api/v1/projects', { body }));
		await this.load();
		return project;
	}

	async remove(id: string, conversations: 'keep' | 'delete'): Promise<void> {
		const params = { path: { id }, query: { conversations } };
		await call(client.DELETE('/api/v1/projects/{id}', { params }));
		this.items = this.items.filter((project) => project.id !== id);
	}

	async #read(): Promise<void> {
		try {
			this.items = (await call(client.GET('/api/v1/projects'))).items;
			this.loaded = true;
			this.problem = null;
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	}
}

export const projects = new Projects();
