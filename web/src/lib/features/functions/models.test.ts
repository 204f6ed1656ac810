import { describe, expect, it } from 'vitest';
import type { Model } from '$lib/api';
import { callable, chosenOf, withModel } from './models';

const model = (id: string, in_browser = false) =>
	({ id, name: id.split('/')[1], display_name: id === 'a/one' ? 'One' : undefined, in_browser }) as Model;

describe('models of a function', () => {
	it('are all that the server calls, and the chosen ones that are gone', () => {
		const models = [model('a/one'), model('~mine/own', true)];
		expect(callable(models, ['a/one', 'b/gone'])).toEqual([
			{ id: 'a/one', name: 'One' },
			{ id: 'b/gone', name: 'gone' }
		]);
	});

	it('are chosen and left', () => {
		expect(withModel(['a/one'], 'b/two', true)).toEqual({ only: ['a/one', 'b/two'] });
		expect(withModel(['a/one', 'b/two'], 'a/one', false)).toEqual({ only: ['b/two'] });
		expect(withModel(['a/one'], 'a/one', true)).toEqual({ only: ['a/one'] });
	});

	it('are a list only where some were chosen', () => {
		expect([chosenOf('all'), chosenOf('off'), chosenOf({ only: ['a/one'] })]).toEqual([
			null,
			null,
			['a/one']
		]);
	});
});
