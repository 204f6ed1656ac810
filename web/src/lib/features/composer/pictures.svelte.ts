import { loadTray, type Picture } from '$lib/features/attachments';

/** The pictures of whichever draft is in the field. What they need comes with the first of them. */
export class DraftPictures {
	#kit = $state.raw<Awaited<ReturnType<typeof loadTray>>>();
	#draft: () => string;
	readonly attachments = $derived.by(() => this.#kit?.attachmentsOf(this.#draft()));
	readonly count = $derived(this.attachments?.items.length ?? 0);

	constructor(draft: () => string) {
		this.#draft = draft;
	}

	get Tray() {
		return this.#kit?.Tray;
	}

	/** Throws when what they need cannot be read. */
	async add(files: readonly File[]): Promise<void> {
		if (files.length === 0) return;
		this.#kit ??= await loadTray();
		this.#kit.attachmentsOf(this.#draft()).add(files);
	}

	/** Gives those of a message that could not be sent back to a draft. */
	put(draft: string, pictures: readonly Picture[]): void {
		this.#kit?.attachmentsOf(draft).put(pictures);
	}
}

/** The files of a clipboard. Office programs put a picture of a text beside the text itself, which is what is meant. */
export function pastedFiles({ clipboardData }: ClipboardEvent): File[] {
	return clipboardData?.types.includes('text/plain') ? [] : [...(clipboardData?.files ?? [])];
}
