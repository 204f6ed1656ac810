import { describe, expect, it } from 'vitest';
import { filledIn, placesIn, variablesOf } from './places';

describe('the places of a prompt', () => {
	it('are found once each, also in Chinese, and not in what only looks like one', () => {
		expect(placesIn('{{a}} {{ b c }} {{a}} {{收件人}} {{}} {x} {{a}b}} {{<b>}}')).toEqual([
			'a',
			'b c',
			'收件人'
		]);
	});

	it('are filled in as text, whatever stands in it', () => {
		const text = 'Dear {{ who }}, {{what}} {{who}} {{left}}';
		expect(filledIn(text, { who: '$& {{what}}', what: '' })).toBe('Dear $& {{what}},  $& {{what}} {{left}}');
	});

	it('take a line of text unless something else was said', () => {
		const number = { name: 'n', kind: 'number' as const, default: '2', options: [] };
		expect(variablesOf({ text: '{{x}} {{n}}', variables: [number, { ...number, name: 'gone' }] })).toEqual([
			{ name: 'x', kind: 'text', default: '', options: [] },
			number
		]);
	});
});
