// The code of a function in the browser: the files that were opened, what was changed in them, and how that is kept.
import { SvelteMap } from 'svelte/reactivity';
import { Problem } from '$lib/api';
import { readFile, saveCode, uploadArchive } from './api';
import { changesTo } from './folder';
import type { OpenFunction } from './open.svelte';
import { firstFile } from './tree';
import type { Change } from './types';

export interface Buffer {
	/** As the server has it. */
	kept: string;
	text: string;
	/** Cannot be shown as text. */
	binary: boolean;
}

export class Workspace {
	/** The file that is shown. */
	path = $state<string | null>(null);
	busy = $state(false);
	/** Why the last change was not kept. */
	problem = $state.raw<Problem | null>(null);
	/** Why the file is not shown. */
	readProblem = $state.raw<Problem | null>(null);
	/** Somebody else has changed the function since it was read here; what then is asked. */
	conflict = $state(false);
	readonly #buffers = new SvelteMap<string, Buffer>();
	readonly #of: OpenFunction;
	#refused: Change[] = [];

	constructor(of: OpenFunction) {
		this.#of = of;
	}

	get paths(): string[] {
		return this.#of.details?.files.map(({ path }) => path) ?? [];
	}

	get buffer(): Buffer | null {
		return this.path === null ? null : (this.#buffers.get(this.path) ?? null);
	}

	/** Those that are not as the server has them. */
	get changed(): string[] {
		return [...this.#buffers].filter(([, { kept, text }]) => kept !== text).map(([path]) => path);
	}

	/** Opens what is best looked at first. */
	begin(): void {
		const command = this.#of.details?.settings.command ?? [];
		const first = firstFile(this.paths, command);
		if (this.path === null && first !== null) void this.show(first);
	}

	async show(path: string): Promise<void> {
		this.path = path;
		this.readProblem = null;
		if (this.#buffers.has(path)) return;
		try {
			const { text } = await readFile(this.#of.id, path);
			if (!this.#buffers.has(path)) {
				this.#buffers.set(path, { kept: text ?? '', text: text ?? '', binary: text === null });
			}
		} catch (caught) {
			if (this.path === path) this.readProblem = Problem.from(caught);
		}
	}

	write(path: string, text: string): void {
		const buffer = this.#buffers.get(path);
		if (buffer && buffer.text !== text) this.#buffers.set(path, { ...buffer, text });
	}

	/** Keeps all that was changed; tells whether it is kept. */
	async save(): Promise<boolean> {
		const changes = this.changed.map((path) => ({ path, text: this.#buffers.get(path)?.text ?? '' }));
		return changes.length === 0 || this.#keep(changes);
	}

	async create(path: string): Promise<boolean> {
		if (!(await this.#keep([{ path, text: '' }]))) return false;
		await this.show(path);
		return true;
	}

	/** Moves a file, or all that lies in a folder. */
	async move(from: string, to: string): Promise<boolean> {
		const moves = this.#within(from).map((path) => ({ path, moved_to: to + path.slice(from.length) }));
		if (!(await this.#keep(moves))) return false;
		for (const { path, moved_to } of moves) {
			const buffer = this.#buffers.get(path);
			this.#buffers.delete(path);
			if (buffer) this.#buffers.set(moved_to, buffer);
			if (this.path === path) this.path = moved_to;
		}
		return true;
	}

	/** Deletes a file, or all that lies in a folder. */
	async remove(gone: string): Promise<boolean> {
		const paths = this.#within(gone);
		if (!(await this.#keep(paths.map((path) => ({ path, deleted: true }))))) return false;
		for (const path of paths) this.#buffers.delete(path);
		if (this.path !== null && paths.includes(this.path)) {
			this.path = null;
			this.begin();
		}
		return true;
	}

	/** Replaces everything by a zip archive. */
	async upload(archive: Blob): Promise<boolean> {
		const { details } = this.#of;
		if (!details) return false;
		return this.#attempt(async () => {
			this.#of.accept(await uploadArchive(this.#of.id, details.revision, archive));
			this.#forget();
		});
	}

	/** Replaces everything by the files of a folder. */
	async bring(files: Map<string, File>): Promise<boolean> {
		const { details } = this.#of;
		if (!details) return false;
		return this.#attempt(async () => {
			const changes = await changesTo(files, this.paths);
			this.#of.accept(await saveCode(this.#of.id, details.revision, changes));
			this.#forget();
		});
	}

	/** Gives up what was written here for what the server has. */
	async reload(): Promise<void> {
		this.conflict = false;
		await this.#of.load();
		this.#forget();
	}

	/** Keeps what was written here in spite of what somebody else has changed. */
	async overwrite(): Promise<void> {
		await this.#of.load();
		this.conflict = false;
		if (!this.#of.problem) await this.#keep(this.#refused);
	}

	#forget(): void {
		const shown = this.path;
		this.#buffers.clear();
		this.path = null;
		if (shown !== null && this.paths.includes(shown)) void this.show(shown);
		else this.begin();
	}

	#within(path: string): string[] {
		return this.paths.filter((one) => one === path || one.startsWith(`${path}/`));
	}

	async #keep(changes: Change[]): Promise<boolean> {
		const { details } = this.#of;
		if (!details) return false;
		this.#refused = changes;
		return this.#attempt(async () => {
			this.#of.accept(await saveCode(this.#of.id, details.revision, changes));
			for (const change of changes) {
				const kept = change.text;
				if (typeof kept !== 'string') continue;
				// What was typed meanwhile is not kept yet.
				const text = this.#buffers.get(change.path)?.text ?? kept;
				this.#buffers.set(change.path, { kept, text, binary: false });
			}
		});
	}

	async #attempt(act: () => Promise<void>): Promise<boolean> {
		if (this.busy) return false;
		this.busy = true;
		this.problem = null;
		try {
			await act();
			return true;
		} catch (caught) {
			const problem = Problem.from(caught);
			if (problem.code === 'function_changed') this.conflict = true;
			else this.problem = problem;
			return false;
		} finally {
			this.busy = false;
		}
	}
}
