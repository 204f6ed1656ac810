// Sums of what a function was asked, over time and by version.
import type { ColdSums, Instance, Metrics, Point } from './types';

export interface Bucket {
	/** Its beginning, in milliseconds. */
	at: number;
	calls: number;
	errors: number;
	coldStarts: number;
	/** Calls that were answered, by version, in the order of {@link versionsOf}. */
	byVersion: number[];
	/** Null where nothing was asked. */
	p50: number | null;
	p95: number | null;
}

/** `latest` at the end, numbers in their order. */
export function versionsOf(points: readonly Point[]): string[] {
	const order = (version: string) => (version === 'latest' ? Infinity : Number(version));
	return [...new Set(points.map(({ version }) => version))].sort((a, b) => order(a) - order(b));
}

/** The share of calls decides how much each counts: exact where there is one, near where there are several. */
function middle(points: readonly Point[]): number | null {
	const calls = points.reduce((sum, point) => sum + point.calls, 0);
	return calls === 0
		? null
		: points.reduce((sum, point) => sum + (point.p50_ms ?? 0) * point.calls, 0) / calls;
}

/** Every step from the first to `until`, those without calls among them. */
export function buckets(points: readonly Point[], step: number, from: number, until: number): Bucket[] {
	const start = Math.floor(from / step) * step;
	const count = Math.max(1, Math.floor(until / step) - Math.floor(from / step) + 1);
	const versions = versionsOf(points);
	const grouped = new Map<number, Point[]>();
	for (const point of points) {
		const at = Math.floor(Date.parse(point.at) / step) * step;
		grouped.set(at, [...(grouped.get(at) ?? []), point]);
	}
	return Array.from({ length: count }, (_, index) => {
		const at = start + index * step;
		const inside = grouped.get(at) ?? [];
		const sum = (of: (point: Point) => number) => inside.reduce((total, point) => total + of(point), 0);
		const asked = inside.filter(({ calls }) => calls > 0);
		return {
			at,
			calls: sum(({ calls }) => calls),
			errors: sum(({ errors }) => errors),
			coldStarts: sum(({ cold_starts }) => cold_starts),
			byVersion: versions.map((version) =>
				sum((point) => (point.version === version ? Math.max(0, point.calls - point.errors) : 0))
			),
			p50: middle(asked),
			p95: asked.length > 0 ? Math.max(...asked.map(({ p95_ms }) => p95_ms ?? 0)) : null
		};
	});
}

export interface Share {
	key: string;
	version: string;
	/** Empty where the version itself was called. */
	alias: string;
	calls: number;
	errors: number;
	/** Of the calls by the same alias, 0 to 1. */
	share: number;
}

/** How the calls of each alias were divided among versions, the aliases by their names, calls without one at the end. */
export function shares(rows: Metrics['by_version']): Share[] {
	const ofAlias = (alias: string) =>
		rows.filter((row) => row.alias === alias).reduce((sum, { calls }) => sum + calls, 0);
	return rows
		.map(({ version, alias, calls, errors }) => ({
			key: `${alias}\0${version}`,
			version,
			alias,
			calls,
			errors,
			share: calls === 0 ? 0 : calls / ofAlias(alias)
		}))
		.sort(
			(a, b) =>
				Number(a.alias === '') - Number(b.alias === '') || a.alias.localeCompare(b.alias) || b.calls - a.calls
		);
}

export const coldParts = ['queue_ms', 'sandbox_ms', 'spawn_ms', 'init_ms', 'first_byte_ms'] as const;
export type ColdPart = (typeof coldParts)[number];

/** The parts of a cold start with their shares of the whole, 0 to 1. */
export function coldSplit(cold: ColdSums): { part: ColdPart; ms: number; share: number }[] {
	const all = coldParts.reduce((sum, part) => sum + (cold[part] ?? 0), 0);
	return coldParts.map((part) => {
		const ms = cold[part] ?? 0;
		return { part, ms, share: all > 0 ? ms / all : 0 };
	});
}

/** How many instances are in each state, those that have ended left out. */
export function byState(instances: readonly Instance[]): [Instance['state'], number][] {
	const order: Instance['state'][] = ['ready', 'frozen', 'starting', 'pending', 'stopping'];
	return order
		.map((state): [Instance['state'], number] => [
			state,
			instances.filter((one) => one.state === state).length
		])
		.filter(([, count]) => count > 0);
}
