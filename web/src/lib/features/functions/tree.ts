// The files of a function as a tree: folders are there because files lie in them.
import { m } from '$lib/i18n';

export interface Row {
	/** Of a folder, its path without a slash at the end. */
	path: string;
	name: string;
	/** 0 for what lies at the top. */
	depth: number;
	folder: boolean;
	/** Which of how many beside each other, for those who cannot see it. */
	place: number;
	count: number;
}

interface Node {
	name: string;
	path: string;
	inside: Map<string, Node> | null;
}

function nodes(paths: readonly string[]): Map<string, Node> {
	const top = new Map<string, Node>();
	for (const path of paths) {
		let level = top;
		const names = path.split('/');
		names.forEach((name, index) => {
			const last = index === names.length - 1;
			let node = level.get(name);
			if (!node) {
				node = { name, path: names.slice(0, index + 1).join('/'), inside: last ? null : new Map() };
				level.set(name, node);
			}
			if (node.inside) level = node.inside;
		});
	}
	return top;
}

/** The rows that are seen, folders before files, without what lies in `closed` ones. */
export function rows(paths: readonly string[], closed: ReadonlySet<string> = new Set()): Row[] {
	const all: Row[] = [];
	const visit = (level: Map<string, Node>, depth: number) => {
		const sorted = [...level.values()].sort(
			(a, b) => Number(!a.inside) - Number(!b.inside) || a.name.localeCompare(b.name)
		);
		sorted.forEach(({ name, path, inside }, index) => {
			all.push({ path, name, depth, folder: inside !== null, place: index + 1, count: sorted.length });
			if (inside && !closed.has(path)) visit(inside, depth + 1);
		});
	};
	visit(nodes(paths), 0);
	return all;
}

/** The file to open first: what is run, or else the first at the top. */
export function firstFile(paths: readonly string[], command: readonly string[]): string | null {
	const files = rows(paths).filter(({ folder }) => !folder);
	const run = command.find((word) => paths.includes(word));
	return run ?? (files.find(({ depth }) => depth === 0) ?? files[0])?.path ?? null;
}

export type PathFault = 'empty' | 'form' | 'long' | 'taken' | 'folder';

/** What is wrong with the path of a new file among those that are there, or null. */
export function pathFault(path: string, others: readonly string[]): PathFault | null {
	if (path === '') return 'empty';
	if (new TextEncoder().encode(path).length > 240) return 'long';
	const names = path.split('/');
	if (names.length > 12) return 'long';
	const odd = names.some((name) => name === '' || name === '.' || name === '..' || /[\p{Cc}\\:]/u.test(name));
	if (odd) return 'form';
	if (others.includes(path)) return 'taken';
	const over = others.some((other) => other.startsWith(`${path}/`) || path.startsWith(`${other}/`));
	return over ? 'folder' : null;
}

export function pathWords(path: string, others: readonly string[]): string | undefined {
	const fault = pathFault(path, others);
	if (!fault) return undefined;
	return {
		empty: m.fn_path_empty,
		form: m.fn_path_form,
		long: m.fn_path_long,
		taken: m.fn_path_taken,
		folder: m.fn_path_folder
	}[fault]();
}

/** How the editor reads a file, by its name. */
export type Grammar = 'python' | 'javascript' | 'json' | 'markdown' | 'plain';

export function grammarOf(path: string): Grammar {
	const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
	if (ending === 'py' || ending === 'pyi') return 'python';
	if (['js', 'mjs', 'cjs', 'jsx', 'ts', 'mts', 'cts', 'tsx'].includes(ending)) return 'javascript';
	if (ending === 'json') return 'json';
	return ending === 'md' || ending === 'markdown' ? 'markdown' : 'plain';
}
