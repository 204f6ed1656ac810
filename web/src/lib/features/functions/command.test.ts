import { expect, it } from 'vitest';
import { lineOf, wordsOf } from './command';

it('takes a line apart into words', () => {
	expect(wordsOf('python3  app.py ')).toEqual(['python3', 'app.py']);
	expect(wordsOf(`sh -c 'echo "a b"' ""`)).toEqual(['sh', '-c', 'echo "a b"', '']);
	expect(wordsOf('a\\ b "c \\" \\\\ \\n"')).toEqual(['a b', 'c " \\ \\n']);
	expect(wordsOf('')).toEqual([]);
	expect(wordsOf('echo "open')).toBeNull();
});

it('writes words so that the same are read', () => {
	for (const words of [
		['python3', '-u', 'app.py'],
		['sh', '-c', 'echo "$HOME" \\ \'x\''],
		['', ' ', '\t', 'é']
	]) {
		expect(wordsOf(lineOf(words))).toEqual(words);
	}
	expect(lineOf(['node', '--enable=x', './a/b.js'])).toBe('node --enable=x ./a/b.js');
});
