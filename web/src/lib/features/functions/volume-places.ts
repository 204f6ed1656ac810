// Where volumes and their folders are in the application, and the steps of a path.

const ALL = '/functions/volumes';

/** The page of a volume, at one of its folders. */
export function volumePlace(name: string, path = ''): string {
	const query = new URLSearchParams({ name, ...(path ? { path } : {}) });
	return `${ALL}?${query}`;
}

export const volumesPlace = ALL;

export const joined = (folder: string, name: string): string => (folder ? `${folder}/${name}` : name);

/** The folders from the top one down to a path, each by its name and its own path. */
export function steps(path: string): { name: string; path: string }[] {
	const names = path ? path.split('/') : [];
	return names.map((name, index) => ({ name, path: names.slice(0, index + 1).join('/') }));
}
