import { describe, expect, it } from 'vitest';
import type { ModelSuggestion } from '$lib/api';
import { shortList } from './suggest';

function models(fits: ModelSuggestion['fit'][], installed: number[] = []): ModelSuggestion[] {
	return fits.map((fit, index) => ({
		name: `m:${index}`,
		family: 'M',
		parameters: '1B',
		size_bytes: index,
		memory_bytes: index,
		license: 'MIT',
		fit,
		installed: installed.includes(index)
	}));
}
const names = (items: ModelSuggestion[]) => items.map((item) => item.name.slice(2)).join('');

describe('suggestions to begin with', () => {
	it('are the largest that fit', () => {
		expect(names(shortList(models([...Array<'now'>(8).fill('now'), 'crowded', 'too_large'])))).toBe('234567');
	});

	it('leave out what is there already', () => {
		expect(names(shortList(models(Array<'now'>(8).fill('now'), [7, 5])))).toBe('012346');
	});

	it('show the smallest others where little fits', () => {
		expect(
			names(shortList(models(['now', 'now', 'crowded', 'too_large', 'too_large', 'too_large', 'too_large'])))
		).toBe('012345');
	});
});
