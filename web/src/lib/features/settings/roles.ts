import type { Role } from '$lib/api';
import { m } from '$lib/i18n';

export function roleName(role: Role): string {
	return { owner: m.settings_role_owner(), admin: m.settings_role_admin(), member: m.settings_role_member() }[
		role
	];
}

export function roleSentence(role: Role): string {
	return {
		owner: m.settings_role_owner_can(),
		admin: m.settings_role_admin_can(),
		member: m.settings_role_member_can()
	}[role];
}
