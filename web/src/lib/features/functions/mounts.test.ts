import { describe, expect, it } from 'vitest';
import { mountFault, type Mount } from './mounts';

const at = (path: string, volume = 'notes'): Mount => ({ volume, path, read_only: true });

describe('mounts', () => {
	it('are below a name of their own', () => {
		for (const path of ['/data', '/mnt/photos', '/srv/a.b/c_d', '/media/x']) {
			expect(mountFault([at(path)], 0), path).toBeNull();
		}
		for (const path of [
			'',
			'data',
			'/',
			'/data/',
			'/a//b',
			'/a/../b',
			'/a/.b',
			'/mnt',
			'/tmp/x',
			'/etc',
			'/usr/x',
			'/数'
		]) {
			expect(mountFault([at(path)], 0), path).toBe('path');
		}
		expect(mountFault([at(`/${'a'.repeat(200)}`)], 0)).toBe('path');
	});

	it('are each there once, and none within another', () => {
		expect(mountFault([at('/data', '')], 0)).toBe('volume');
		expect(mountFault([at('/a'), at('/b')], 1)).toBe('twice');
		expect(mountFault([at('/a'), at('/a/b', 'other')], 1)).toBe('nested');
		expect(mountFault([at('/a/b'), at('/a', 'other')], 1)).toBe('nested');
		expect(mountFault([at('/a'), at('/ab', 'other')], 1)).toBeNull();
	});
});
