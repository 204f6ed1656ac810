import { expect, it } from 'vitest';
import { bindingFault, toBindingRows, toBindings } from './bindings';

const row = (name: string, host = 'db.internal', port = '5432', local = '15432') => ({
	name,
	host,
	port,
	local
});

it('goes from what is kept to a form and back', () => {
	const kept = [{ name: 'db', host: 'db.internal', port: 5432, local_port: 15_432 }];
	expect(toBindings(toBindingRows(kept))).toEqual(kept);
});

it('names what is wrong', () => {
	const faults = (...rows: ReturnType<typeof row>[]) => rows.map((_, index) => bindingFault(rows, index));
	expect(faults(row('orders-db'), row('other', '::1', '80', '8080'))).toEqual([null, null]);
	expect(faults(row(''), row('1a'), row('A'))).toEqual(['name', 'name', 'name']);
	expect(faults(row('a', ''), row('b', 'http://x'))).toEqual(['host', 'host']);
	expect(faults(row('a', 'x', '0'), row('b', 'x', '65536'), row('c', 'x', '1e3'))).toEqual([
		'port',
		'port',
		'port'
	]);
	expect(faults(row('a', 'x', '1', '80'))).toEqual(['local']);
	expect(faults(row('a-b'), row('a_b', 'x', '1', '2000'))).toEqual([null, 'name']);
	expect(faults(row('a'), row('b'))).toEqual([null, 'local']);
});
