// Volumes as a form has them: which, where, and whether they are only read. The bounds are those of `functions::spec`.
import { m } from '$lib/i18n';
import type { FunctionSettings } from './types';

export type Mount = FunctionSettings['volumes'][number];

export const MOST_MOUNTS = 8;

/** Where the sandbox has its own, or where programs look for something else. */
const TAKEN =
	/^\/(bin|boot|cache|code|dev|etc|home|lib|lib32|lib64|libx32|nix|opt|out|proc|root|run|sbin|scratch|snap|sys|tmp|usr|var)(\/|$)/;
const WITHIN_ONLY = /^\/(media|mnt)$/;
const PLACE = /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;

export type MountFault = 'volume' | 'twice' | 'path' | 'nested';

const within = (path: string, other: string) => path === other || path.startsWith(`${other}/`);

export function mountFault(mounts: readonly Mount[], index: number): MountFault | null {
	const mount = mounts[index];
	if (!mount) return null;
	const before = mounts.slice(0, index);
	if (mount.volume === '') return 'volume';
	if (before.some(({ volume }) => volume === mount.volume)) return 'twice';
	const { path } = mount;
	if (path.length > 200 || !PLACE.test(path) || TAKEN.test(path) || WITHIN_ONLY.test(path)) return 'path';
	return before.some((other) => within(path, other.path) || within(other.path, path)) ? 'nested' : null;
}

export const mountWords = (fault: MountFault): string =>
	({
		volume: m.fn_volume_choose,
		twice: m.fn_volume_twice,
		path: m.fn_volume_path_fault,
		nested: m.fn_volume_nested
	})[fault]();
