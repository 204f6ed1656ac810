// The variables of a function, as rows of a form and as JSON.
import { m } from '$lib/i18n';

export interface Variable {
	name: string;
	value: string;
}

export const toRows = (environment: Record<string, string>): Variable[] =>
	Object.entries(environment)
		.sort(([a], [b]) => a.localeCompare(b))
		.map(([name, value]) => ({ name, value }));

/** Rows without a name and a value are not there yet. */
const meant = (rows: readonly Variable[]) => rows.filter(({ name, value }) => name !== '' || value !== '');

export const toRecord = (rows: readonly Variable[]): Record<string, string> =>
	Object.fromEntries(meant(rows).map(({ name, value }) => [name, value]));

export const toJson = (rows: readonly Variable[]): string => JSON.stringify(toRecord(rows), null, 2);

/** What the engine sets itself. */
const RESERVED = ['PORT', 'FC_SERVER_PORT'];

export type VariableFault = 'form' | 'reserved' | 'twice';

export function variableFault(rows: readonly Variable[], index: number): VariableFault | null {
	const row = rows[index];
	if (!row || (row.name === '' && row.value === '')) return null;
	if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(row.name)) return 'form';
	if (RESERVED.includes(row.name)) return 'reserved';
	return rows.findIndex(({ name }) => name === row.name) < index ? 'twice' : null;
}

export function variableWords(rows: readonly Variable[], index: number): string | undefined {
	const fault = variableFault(rows, index);
	if (!fault) return undefined;
	return { form: m.fn_env_form, reserved: m.fn_env_reserved, twice: m.fn_env_twice }[fault]();
}

/** Rows out of JSON, or null where it is not an object of texts. Numbers and truth values are taken as they are written. */
export function fromJson(text: string): Variable[] | null {
	let read: unknown;
	try {
		read = JSON.parse(text.trim() || '{}');
	} catch {
		return null;
	}
	if (!read || typeof read !== 'object' || Array.isArray(read)) return null;
	const plain = ['string', 'number', 'boolean'];
	if (!Object.values(read).every((value) => plain.includes(typeof value))) return null;
	return toRows(Object.fromEntries(Object.entries(read).map(([name, value]) => [name, String(value)])));
}
