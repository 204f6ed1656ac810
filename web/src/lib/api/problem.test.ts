import { describe, expect, it } from 'vitest';
import { call, Problem } from '.';

describe('a problem', () => {
	it('carries what the server says', () => {
		const response = new Response(null, { status: 409, headers: { 'x-request-id': 'from-header' } });
		const problem = Problem.fromAnswer(
			{
				title: 'Taken',
				detail: 'There is one.',
				code: 'slug_taken',
				request_id: 'r-1',
				hint: 'Choose another.',
				errors: [{ field: 'slug', message: 'taken' }]
			},
			response
		);
		expect(problem).toMatchObject({
			status: 409,
			code: 'slug_taken',
			requestId: 'r-1',
			hint: 'Choose another.'
		});
		expect(problem.field('slug')).toBe('taken');
		expect(problem.field('name')).toBeNull();
	});

	it('is made even of a page that is not from the server', () => {
		const response = new Response('<html>', { status: 502, statusText: 'Bad Gateway' });
		expect(Problem.fromAnswer('<html>', response)).toMatchObject({
			status: 502,
			title: 'Bad Gateway',
			code: 'http_502'
		});
	});

	it('says that the server could not be reached', async () => {
		await expect(call(Promise.reject(new TypeError('Failed to fetch')))).rejects.toMatchObject({
			code: 'unreachable'
		});
	});

	it('is thrown for every answer that is not good', async () => {
		const response = new Response(null, { status: 500 });
		await expect(call(Promise.resolve({ error: { code: 'internal' }, response }))).rejects.toBeInstanceOf(
			Problem
		);
	});
});
