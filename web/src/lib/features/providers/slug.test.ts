import { describe, expect, it } from 'vitest';
import { slugFault, suggestSlug } from './slug';

describe('the slug suggested for a name', () => {
	it.each([
		['OpenAI', 'openai'],
		['  My Company: vLLM (Zürich) ', 'my-company-vllm-zurich'],
		['DeepSeek 深度求索', 'deepseek'],
		['通义千问', ''],
		['Local', 'local-provider'],
		['a'.repeat(31) + ' b', 'a'.repeat(31)]
	])('%s', (name, slug) => {
		expect(suggestSlug(name)).toBe(slug);
	});

	it('is always a slug the server takes, or nothing', () => {
		for (const name of ['--', 'É é', 'x_y.z', '1 2 3', 'A'.repeat(200)]) {
			const slug = suggestSlug(name);
			if (slug !== '') expect(slugFault(slug)).toBeNull();
		}
	});
});

it('says what is wrong with a slug', () => {
	expect(slugFault('')).toBe('empty');
	expect(slugFault('Open AI')).toBe('form');
	expect(slugFault('-a')).toBe('form');
	expect(slugFault('local')).toBe('reserved');
	expect(slugFault('a'.repeat(33))).toBe('long');
	expect(slugFault('my-provider-2')).toBeNull();
});
