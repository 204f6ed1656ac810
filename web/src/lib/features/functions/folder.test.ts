import { describe, expect, it } from 'vitest';
import { changesTo, filesOf, placeOf } from './folder';

function file(path: string, text: string): File {
	const made = new File([text], path.split('/').at(-1) ?? '');
	Object.defineProperty(made, 'webkitRelativePath', { value: path });
	return made;
}

describe('a folder as the files of a function', () => {
	it('is called by what lies in it, without what is made from that', () => {
		expect(placeOf('agent/app.py')).toBe('app.py');
		expect(placeOf('agent/lib/a.py')).toBe('lib/a.py');
		expect(placeOf('agent/node_modules/x/index.js')).toBeNull();
		expect(placeOf('agent/lib/__pycache__/a.pyc')).toBeNull();
		expect(placeOf('agent')).toBeNull();
	});

	it('takes the place of all that is there', async () => {
		const files = filesOf([
			file('agent/app.py', 'new'),
			file('agent/.git/HEAD', 'x'),
			file('agent/b/ä', 'ä')
		]);
		expect(await changesTo(files, ['app.py', 'old.py'])).toEqual([
			{ path: 'old.py', deleted: true },
			{ path: 'app.py', base64: btoa('new') },
			{ path: 'b/ä', base64: 'w6Q=' }
		]);
	});
});
