import { formatDollars, formatNumber, m } from '$lib/i18n';
import type { TableColumn } from '$lib/ui';
import type { Sum } from './types';

/** The columns that have something in them. */
export function columnsFor(rows: readonly Sum[]): TableColumn[] {
	const column = (key: string, label: string): TableColumn => ({ key, label, align: 'end', mono: true });
	const columns = [
		column('calls', m.usage_calls()),
		column('cpu', m.fn_cpu_seconds()),
		column('memory', m.fn_gb_seconds())
	];
	const models = rows.some(({ models }) => models.calls > 0);
	if (rows.some(({ cost }) => cost !== null)) {
		columns.push(column('cost', models ? m.fn_cost_running() : m.cost()));
	}
	if (models) columns.push(column('models', m.fn_cost_models()));
	return columns;
}

/** What stands in such a column. */
export function figure(sum: Sum, key: string): string {
	const seconds = (count: number) => formatNumber(count, { maximumFractionDigits: 2 });
	const dollars = (cost: number | null) => (cost === null ? '–' : formatDollars(cost));
	if (key === 'cpu') return seconds(sum.cpu_seconds);
	if (key === 'memory') return seconds(sum.gb_seconds);
	if (key === 'cost') return dollars(sum.cost);
	if (key === 'models') return dollars(sum.models.cost);
	return formatNumber(sum.calls);
}
