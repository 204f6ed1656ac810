import type { Role, User } from '$lib/api';

export type Hindrance = 'last-owner' | 'not-owner' | 'self' | null;

/** Why `actor` cannot change role or access of `target`, or null. The server holds the same rules; this only says so beforehand. */
export function hindrance(actor: { id: string; role: Role }, target: User, all: User[]): Hindrance {
	const owners = all.filter((user) => user.role === 'owner' && !user.disabled);
	if (target.role === 'owner' && !target.disabled && owners.length <= 1) return 'last-owner';
	if (target.role !== 'member' && actor.role !== 'owner')
		return target.id === actor.id ? 'self' : 'not-owner';
	return target.id === actor.id ? 'self' : null;
}

/** The roles that a person with this role may give. */
export function rolesToGive(actor: Role): Role[] {
	return actor === 'owner' ? ['member', 'admin', 'owner'] : ['member'];
}
