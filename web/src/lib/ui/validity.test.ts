import { describe, expect, it } from 'vitest';
import { faultOf } from './validity.svelte';

function field(fault: Partial<ValidityState>, type = 'text') {
	return { validity: fault as ValidityState, type, minLength: 10 };
}

describe('what the browser found wrong, in words', () => {
	it('names the field that is empty', () => {
		expect(faultOf(field({ valueMissing: true }), 'Base URL')).toBe('Base URL: please fill this in.');
	});

	it('says how many characters are needed', () => {
		expect(faultOf(field({ tooShort: true }), 'Password')).toContain('10');
	});

	it('tells an e-mail address from other forms', () => {
		expect(faultOf(field({ typeMismatch: true }, 'email'), 'E-mail')).toBe('This is not an e-mail address.');
		expect(faultOf(field({ badInput: true }, 'date'), 'Day')).toBe('This does not have the expected form.');
	});
});
