import { describe, expect, it } from 'vitest';
import { fromJson, toJson, toRecord, toRows, variableFault } from './environment';

describe('the environment', () => {
	it('goes from rows to JSON and back', () => {
		const rows = toRows({ B: '2', A: 'one "two"' });
		expect(rows).toEqual([
			{ name: 'A', value: 'one "two"' },
			{ name: 'B', value: '2' }
		]);
		expect(fromJson(toJson(rows))).toEqual(rows);
	});

	it('leaves rows out that are not filled in', () => {
		expect(
			toRecord([
				{ name: '', value: '' },
				{ name: 'A', value: '' }
			])
		).toEqual({ A: '' });
	});

	it('takes plain values, and nothing else, from JSON', () => {
		expect(fromJson('{"A": 1, "B": true}')).toEqual([
			{ name: 'A', value: '1' },
			{ name: 'B', value: 'true' }
		]);
		expect(fromJson('')).toEqual([]);
		for (const text of ['[1]', '"a"', 'null', '{"A": null}', '{"A": {}}', '{', '{"A": ["x"]}']) {
			expect(fromJson(text)).toBeNull();
		}
	});

	it('says what is wrong with a name', () => {
		const rows = ['A', '1A', 'A-B', 'PORT', 'A', ''].map((name) => ({ name, value: 'x' }));
		expect(rows.map((_, index) => variableFault(rows, index))).toEqual([
			null,
			'form',
			'form',
			'reserved',
			'twice',
			'form'
		]);
		expect(variableFault([{ name: '', value: '' }], 0)).toBeNull();
	});
});
