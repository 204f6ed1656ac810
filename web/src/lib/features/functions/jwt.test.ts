import { describe, expect, it } from 'vitest';
import { draftOf, rulesOf } from './jwt';
import type { JwtRules } from './types';

const rules: JwtRules = {
	issuer: 'https://id.test',
	audience: 'stoa',
	keys: { url: 'https://id.test/keys' },
	claims: { role: 'tester' }
};

describe('tokens of another issuer', () => {
	it('are written as they were read', () => {
		expect(rulesOf(draftOf(rules))).toEqual({ rules, faults: {} });
		const pasted = { ...rules, keys: { set: { keys: [{ kty: 'OKP' }] } }, claims: {} };
		expect(rulesOf(draftOf(pasted)).rules).toEqual(pasted);
	});

	it('need an issuer, an audience and keys', () => {
		const { rules: none, faults } = rulesOf(draftOf(null));
		expect([none, Object.keys(faults)]).toEqual([null, ['issuer', 'audience', 'keys']]);
		const draft = draftOf(rules);
		for (const url of ['', 'id.test/keys', 'file:///etc/passwd', 'https://a b']) {
			expect(Object.keys(rulesOf({ ...draft, url }).faults)).toEqual(['keys']);
		}
		for (const set of ['', '{', '[]', '{}', '{"keys":{}}', 'null']) {
			expect(Object.keys(rulesOf({ ...draft, from: 'set', set }).faults)).toEqual(['keys']);
		}
	});

	it('name each claim once', () => {
		const draft = draftOf(rules);
		const twice = [...draft.claims, { name: ' role', value: 'x' }];
		expect(Object.keys(rulesOf({ ...draft, claims: twice }).faults)).toEqual(['claims']);
		expect(Object.keys(rulesOf({ ...draft, claims: [{ name: '', value: 'x' }] }).faults)).toEqual(['claims']);
	});
});
