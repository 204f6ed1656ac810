import { describe, expect, it } from 'vitest';
import type { Role, User } from '$lib/api';
import { hindrance, rolesToGive } from './hindrance';

function person(id: string, role: Role, disabled = false): User {
	return { id, name: id, email: `${id}@example.com`, role, disabled, created_at: '', last_seen_at: null };
}

describe('what hinders a change of role or access', () => {
	const owner = person('owner', 'owner');
	const second = person('second', 'owner');
	const admin = person('admin', 'admin');
	const member = person('member', 'member');

	it('keeps the last owner, also when the other owner is disabled', () => {
		expect(hindrance(owner, owner, [owner, admin])).toBe('last-owner');
		expect(hindrance(owner, owner, [owner, person('old', 'owner', true)])).toBe('last-owner');
		expect(hindrance(owner, second, [owner, second])).toBeNull();
	});

	it('keeps administrators away from owners and each other, and everybody from themselves', () => {
		expect(hindrance(admin, owner, [owner, second, admin])).toBe('not-owner');
		expect(hindrance(admin, person('other', 'admin'), [owner, admin])).toBe('not-owner');
		expect(hindrance(admin, admin, [owner, admin])).toBe('self');
		expect(hindrance(admin, member, [owner, admin, member])).toBeNull();
	});

	it('lets only owners make owners and administrators', () => {
		expect(rolesToGive('admin')).toEqual(['member']);
		expect(rolesToGive('owner')).toContain('owner');
	});
});
