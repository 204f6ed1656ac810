// Sends an export to be imported: a zip archive is opened here, and only what is wanted of it is sent.
import { Problem, type ImportReport } from '$lib/api';
import { send } from '$lib/api/send';
import { m } from '$lib/i18n';
import { filesIn, isZip } from './zip';

/** In the archives that ChatGPT hands out; large ones are divided. */
const WANTED = /^conversations(-\d+)?\.json$/;

function sum(one: ImportReport, other: ImportReport): ImportReport {
	const counts = Object.keys(one.made) as (keyof ImportReport['made'])[];
	const together = (side: 'made' | 'known') =>
		Object.fromEntries(counts.map((name) => [name, one[side][name] + other[side][name]]));
	const left = one.left_out.map((group) => ({ ...group }));
	for (const group of other.left_out) {
		const same = left.find(({ what, why }) => what === group.what && why === group.why);
		if (!same) left.push(group);
		else Object.assign(same, { count: same.count + group.count, names: [...same.names, ...group.names] });
	}
	return {
		...one,
		made: together('made') as ImportReport['made'],
		known: together('known') as ImportReport['known'],
		left_out: left
	};
}

/** Imports a file, and says how far it has come, 0 to 1. */
export async function bring(
	file: Blob,
	onprogress: (share: number) => void,
	signal: AbortSignal
): Promise<ImportReport> {
	const parts = (await isZip(file)) ? await filesIn(file, WANTED) : [file];
	const all = parts.reduce((bytes, { size }) => bytes + size, 0);
	let [done, report] = [0, null as ImportReport | null];
	for (const part of parts) {
		const before = done;
		const watch = { signal, onprogress: (share: number) => onprogress((before + share * part.size) / all) };
		const one = await send<ImportReport>('/api/v1/import', part, watch);
		report = report ? sum(report, one) : one;
		done += part.size;
	}
	if (!report) throw new Problem({ code: 'import_unknown', detail: m.import_zip_empty() });
	return report;
}
