// What differs between two sets of files: what can be seen from their digests, before any is read.
import type { SourceFile } from './types';

export interface Difference {
	path: string;
	kind: 'added' | 'removed' | 'changed';
	/** Both sides can be shown as text. */
	text: boolean;
}

export function differences(before: readonly SourceFile[], after: readonly SourceFile[]): Difference[] {
	const old = new Map(before.map((file) => [file.path, file]));
	const found: Difference[] = [];
	for (const file of after) {
		const was = old.get(file.path);
		old.delete(file.path);
		if (!was) found.push({ path: file.path, kind: 'added', text: file.text });
		else if (was.digest !== file.digest || was.executable !== file.executable) {
			found.push({ path: file.path, kind: 'changed', text: was.text && file.text });
		}
	}
	for (const { path, text } of old.values()) found.push({ path, kind: 'removed', text });
	return found.sort((a, b) => a.path.localeCompare(b.path));
}
