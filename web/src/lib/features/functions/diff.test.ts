import { expect, it } from 'vitest';
import { differences } from './diff';

const file = (path: string, digest: string, more = {}) => ({
	path,
	digest,
	bytes: 1,
	executable: false,
	text: true,
	...more
});

it('tells what was added, removed and changed', () => {
	const before = [file('same', '1'), file('gone', '2'), file('run', '3'), file('pic', '4', { text: false })];
	const after = [
		file('same', '1'),
		file('run', '3', { executable: true }),
		file('pic', '5'),
		file('new', '6')
	];
	expect(differences(before, after)).toEqual([
		{ path: 'gone', kind: 'removed', text: true },
		{ path: 'new', kind: 'added', text: true },
		{ path: 'pic', kind: 'changed', text: false },
		{ path: 'run', kind: 'changed', text: true }
	]);
	expect(differences(before, before)).toEqual([]);
});
