import { expect, it } from 'vitest';
import { authorityFault } from './authority';

it('takes a host and a port', () => {
	for (const good of ['10.0.0.5:8000', 'localhost:11434', '[::1]:8080', 'llm.internal:443']) {
		expect(authorityFault(good)).toBeNull();
	}
});

it('says what is wrong', () => {
	expect(authorityFault('')).toBe('empty');
	expect(authorityFault('http://10.0.0.5:8000')).toBe('url');
	expect(authorityFault('user@host:80')).toBe('url');
	expect(authorityFault('10.0.0.5')).toBe('port');
	expect(authorityFault('10.0.0.5:70000')).toBe('port');
	expect(authorityFault('::1:80')).toBe('form');
	expect(authorityFault('a b:80')).toBe('form');
});
