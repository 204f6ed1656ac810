import { Problem, type AssistantFile } from '$lib/api';
import { m } from '$lib/i18n';

/** Lets the browser keep assistants as a file. */
export function save(file: AssistantFile, name: string): void {
	const text = JSON.stringify(file, null, 2);
	const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
	const link = document.createElement('a');
	link.href = address;
	link.download = fileName(name);
	link.click();
	// The browser has begun to read it by then.
	setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A name that every file system takes. */
export function fileName(name: string): string {
	const kept = name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '');
	return `${kept || 'assistant'}.json`;
}

/** Reads a file as JSON. Throws a `Problem` that says what is wrong with it. */
export async function read(file: Blob): Promise<unknown> {
	try {
		return JSON.parse(await file.text());
	} catch {
		throw new Problem({ detail: m.assistants_import_unreadable(), code: 'unreadable_file' });
	}
}
