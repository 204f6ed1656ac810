import { expect, it } from 'vitest';
import { Problem } from '$lib/api';
import { restOf } from './rest';

it('hides a problem only when every part of it stands beside a field', () => {
	const message = 'Enter a name.';
	const onlyName = new Problem({ code: 'invalid_fields', errors: [{ field: 'name', message }] }, 422);
	const more = new Problem(
		{
			code: 'invalid_fields',
			errors: [
				{ field: 'name', message },
				{ field: 'kind', message }
			]
		},
		422
	);
	expect(restOf(onlyName, ['name', 'email'])).toBeNull();
	expect(restOf(more, ['name', 'email'])).toBe(more);
	expect(restOf(new Problem({ code: 'internal' }, 500), ['name'])).not.toBeNull();
	expect(restOf(null, [])).toBeNull();
});
