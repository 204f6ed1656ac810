import { client, Problem } from '$lib/api';
import type { Picture } from './picture';
import { upload } from './upload';

/** As the server has it. */
export const MOST = 8;
const MOST_BYTES = 20 * 1024 * 1024;
/** Uploads at once; the server takes a few more of one person. */
const AT_ONCE = 2;

/** Tells those of this page apart. Random ids are not to be had without TLS. */
let counted = 0;

/** One picture on its way into a message. */
export class Attachment {
	readonly key = (counted += 1);
	readonly name: string;
	/** An address of what is shown here. */
	readonly preview: string;
	/** The share that has been sent, 0 to 1. */
	progress = $state(0);
	stored = $state.raw<Picture | null>(null);
	problem = $state.raw<Problem | null>(null);
	readonly file: File | null;
	readonly giving = new AbortController();

	constructor(from: File | Picture) {
		this.name = from.name;
		if (from instanceof File) {
			this.file = from;
			this.preview = URL.createObjectURL(from);
		} else {
			this.file = null;
			this.stored = from;
			this.preview = `/api/v1/files/${from.id}?size=small`;
		}
	}

	get waits(): boolean {
		return !this.stored && !this.problem;
	}

	forget(): void {
		this.giving.abort();
		if (this.file) URL.revokeObjectURL(this.preview);
	}
}

/** The pictures of one draft. */
export class Attachments {
	items = $state.raw<Attachment[]>([]);
	/** More were chosen than a message takes. */
	tooMany = $state(false);
	#running = 0;
	#settled: (() => void)[] = [];

	get busy(): boolean {
		return this.items.some((item) => item.waits);
	}

	get failed(): boolean {
		return this.items.some((item) => item.problem);
	}

	add(files: Iterable<File>): void {
		const all = [...files];
		const room = Math.max(0, MOST - this.items.length);
		this.tooMany = all.length > room;
		const added = all.slice(0, room).map((file) => new Attachment(file));
		for (const item of added) {
			// Not sent only to be refused at its end.
			if (item.file && item.file.size > MOST_BYTES) item.problem = new Problem({ code: 'picture_too_large' });
		}
		this.items = [...this.items, ...added];
		this.#go();
	}

	retry(item: Attachment): void {
		item.problem = null;
		item.progress = 0;
		this.#go();
	}

	remove(item: Attachment): void {
		this.items = this.items.filter((other) => other !== item);
		this.tooMany = false;
		item.forget();
		// What nobody shows is removed after a day anyway.
		const id = item.stored?.id;
		if (id) client.DELETE('/api/v1/files/{id}', { params: { path: { id } } }).catch(() => undefined);
		this.#told();
	}

	/** Waits until nothing is on its way. */
	async settled(): Promise<void> {
		while (this.busy) await new Promise<void>((done) => this.#settled.push(done));
	}

	/** Takes out what is there, for a message. */
	take(): Picture[] {
		const taken = this.items.flatMap((item) => item.stored ?? []);
		for (const item of this.items) item.forget();
		this.items = [];
		this.tooMany = false;
		return taken;
	}

	/** Puts back what could not be sent. */
	put(pictures: readonly Picture[]): void {
		this.items = [...pictures.map((picture) => new Attachment(picture)), ...this.items].slice(0, MOST);
	}

	#go(): void {
		for (const item of this.items) {
			if (this.#running >= AT_ONCE) return;
			if (item.waits && item.file && !under.has(item)) void this.#send(item, item.file);
		}
	}

	async #send(item: Attachment, file: File): Promise<void> {
		this.#running += 1;
		under.add(item);
		try {
			const onprogress = (share: number) => (item.progress = share);
			const { id, name, width, height } = await upload(file, { onprogress, signal: item.giving.signal });
			item.stored = { id, name, width, height };
			// Removed while its last bytes were on the way.
			if (!this.items.includes(item)) this.remove(item);
		} catch (caught) {
			item.problem = Problem.from(caught);
		} finally {
			this.#running -= 1;
			under.delete(item);
			this.#told();
			this.#go();
		}
	}

	#told(): void {
		for (const done of this.#settled.splice(0)) done();
	}
}

/** Being sent at this moment. */
const under = new WeakSet<Attachment>();
const drafts: Partial<Record<string, Attachments>> = {};

/** The pictures of a draft. They stay while one looks elsewhere, and go with the page. */
export function attachmentsOf(draft: string): Attachments {
	return (drafts[draft] ??= new Attachments());
}
