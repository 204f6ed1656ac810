import { describe, expect, it } from 'vitest';
import { firstFile, grammarOf, pathFault, rows } from './tree';

const drawn = (paths: string[], closed?: Set<string>) =>
	rows(paths, closed).map(({ name, depth, folder }) => `${'  '.repeat(depth)}${name}${folder ? '/' : ''}`);

describe('the tree of files', () => {
	it('has folders where files lie in them, before the files', () => {
		expect(drawn(['app.py', 'lib/b.py', 'lib/a/x.py', 'README.md'])).toEqual([
			'lib/',
			'  a/',
			'    x.py',
			'  b.py',
			'app.py',
			'README.md'
		]);
	});

	it('leaves out what lies in closed folders', () => {
		expect(drawn(['app.py', 'lib/b.py', 'lib/a/x.py'], new Set(['lib']))).toEqual(['lib/', 'app.py']);
		expect(drawn(['lib/b.py', 'lib/a/x.py'], new Set(['lib/a']))).toEqual(['lib/', '  a/', '  b.py']);
	});

	it('tells the place of each among those beside it', () => {
		const places = rows(['a/x', 'a/y', 'b']).map(({ path, place, count }) => [path, place, count]);
		expect(places).toEqual([
			['a', 1, 2],
			['a/x', 1, 2],
			['a/y', 2, 2],
			['b', 2, 2]
		]);
	});

	it('opens what is run first', () => {
		expect(firstFile(['README.md', 'app.py'], ['python3', 'app.py'])).toBe('app.py');
		expect(firstFile(['lib/x.js', 'index.js'], ['./start'])).toBe('index.js');
		expect(firstFile(['lib/x.js'], [])).toBe('lib/x.js');
		expect(firstFile([], [])).toBeNull();
	});
});

describe('the path of a file', () => {
	it('is refused where it leads out, is there, or runs through a file', () => {
		const others = ['app.py', 'lib/x.py'];
		expect(pathFault('lib/y.py', others)).toBeNull();
		expect(pathFault('', others)).toBe('empty');
		for (const path of ['/a', 'a/', 'a//b', '../a', './a', 'a\\b', 'a\u0000', 'c:/a']) {
			expect(pathFault(path, others)).toBe('form');
		}
		expect(pathFault('app.py', others)).toBe('taken');
		expect(pathFault('lib', others)).toBe('folder');
		expect(pathFault('app.py/x', others)).toBe('folder');
		expect(pathFault('é'.repeat(121), others)).toBe('long');
		expect(pathFault('a/'.repeat(12) + 'a', others)).toBe('long');
	});

	it('says how it is read', () => {
		expect(['a.py', 'b.MJS', 'c.ts', 'package.json', 'README.md', 'Dockerfile'].map(grammarOf)).toEqual([
			'python',
			'javascript',
			'javascript',
			'json',
			'markdown',
			'plain'
		]);
	});
});
