// A folder of this device as the files of a function.
import type { Change } from './types';

/** What is made from the other files, or nobody's business. The same as `stoa function deploy` leaves out. */
const leftOut = new Set(['.git', 'node_modules', '__pycache__', '.venv', 'venv', 'target']);

/** What a file is called in the function: nothing where it stays at home. */
export function placeOf(path: string): string | null {
	const parts = path.split('/').slice(1);
	return parts.length === 0 || parts.some((part) => leftOut.has(part)) ? null : parts.join('/');
}

function base64(file: Blob): Promise<string> {
	return new Promise((done, fail) => {
		const reader = new FileReader();
		reader.onload = () => done(String(reader.result).split(',')[1] ?? '');
		reader.onerror = () => fail(reader.error ?? new Error());
		reader.readAsDataURL(file);
	});
}

/** The files of a folder, each with its place. */
export function filesOf(files: Iterable<File>): Map<string, File> {
	const found = new Map<string, File>();
	for (const file of files) {
		const place = placeOf(file.webkitRelativePath);
		if (place !== null) found.set(place, file);
	}
	return found;
}

/** What makes a function that has these paths one that has those files and no others. */
export async function changesTo(files: Map<string, File>, paths: readonly string[]): Promise<Change[]> {
	const gone = paths.filter((path) => !files.has(path)).map((path) => ({ path, deleted: true }));
	const put = [...files].map(async ([path, file]) => ({ path, base64: await base64(file) }));
	return [...gone, ...(await Promise.all(put))];
}
