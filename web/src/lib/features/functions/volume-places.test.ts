import { describe, expect, it } from 'vitest';
import { joined, steps, volumePlace } from './volume-places';

describe('places in volumes', () => {
	it('have addresses that keep every name', () => {
		expect(volumePlace('notes')).toBe('/functions/volumes?name=notes');
		const place = new URL(volumePlace('notes', 'a b/数&c=1'), 'http://x').searchParams;
		expect([place.get('name'), place.get('path')]).toEqual(['notes', 'a b/数&c=1']);
	});

	it('lead from the top folder down', () => {
		expect(steps('')).toEqual([]);
		expect(steps('a/b')).toEqual([
			{ name: 'a', path: 'a' },
			{ name: 'b', path: 'a/b' }
		]);
		expect([joined('', 'a'), joined('a/b', 'c')]).toEqual(['a', 'a/b/c']);
	});
});
