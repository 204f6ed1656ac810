// Services by host and port, as they are written in a form. The bounds are those of `functions::spec`.
import type { FunctionSettings } from './types';

type Binding = FunctionSettings['bindings'][number];

export interface BindingRow {
	name: string;
	host: string;
	port: string;
	/** The port within the function. */
	local: string;
}

export const toBindingRows = (bindings: readonly Binding[]): BindingRow[] =>
	bindings.map(({ name, host, port, local_port }) => ({
		name,
		host,
		port: String(port),
		local: String(local_port)
	}));

export const toBindings = (rows: readonly BindingRow[]): Binding[] =>
	rows.map(({ name, host, port, local }) => ({
		name: name.trim(),
		host: host.trim(),
		port: Number(port),
		local_port: Number(local)
	}));

export type BindingFault = 'name' | 'host' | 'port' | 'local';

const isPort = (text: string, least: number) =>
	/^\d{1,5}$/.test(text.trim()) && Number(text) >= least && Number(text) <= 65_535;

export function bindingFault(rows: readonly BindingRow[], index: number): BindingFault | null {
	const row = rows[index];
	if (!row) return null;
	const before = rows.slice(0, index);
	// `a-b` and `a_b` are one name in the environment.
	const variable = (name: string) => name.trim().replaceAll('-', '_');
	const taken = before.some(({ name }) => variable(name) === variable(row.name));
	if (taken || !/^[a-z][a-z0-9_-]{0,31}$/.test(row.name.trim())) return 'name';
	if (!/^[^\s/]+$/.test(row.host.trim())) return 'host';
	if (!isPort(row.port, 1)) return 'port';
	const doubled = before.some(({ local }) => Number(local) === Number(row.local));
	return doubled || !isPort(row.local, 1_024) ? 'local' : null;
}
