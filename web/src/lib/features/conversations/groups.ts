import type { Conversation } from '$lib/api';

export type GroupName = 'pinned' | 'today' | 'yesterday' | 'week' | 'month' | 'older';

export interface Group {
	name: GroupName;
	items: Conversation[];
}

const order: GroupName[] = ['pinned', 'today', 'yesterday', 'week', 'month', 'older'];

/** The group of a moment, by the reader's own calendar: a week begins on Monday, and yesterday may be another month. */
export function groupOf(moment: Date, now: Date): Exclude<GroupName, 'pinned'> {
	const day = (back: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - back);
	if (moment >= day(0)) return 'today';
	if (moment >= day(1)) return 'yesterday';
	if (moment >= day((now.getDay() + 6) % 7)) return 'week';
	if (moment >= new Date(now.getFullYear(), now.getMonth(), 1)) return 'month';
	return 'older';
}

/** Newest first inside each group; groups without conversations are left out. */
export function group(conversations: Iterable<Conversation>, now: Date): Group[] {
	const groups = new Map<GroupName, Conversation[]>();
	const sorted = [...conversations].sort((a, b) => b.updated_at.localeCompare(a.updated_at));
	for (const conversation of sorted) {
		const name = conversation.pinned ? 'pinned' : groupOf(new Date(conversation.updated_at), now);
		const items = groups.get(name);
		if (items) items.push(conversation);
		else groups.set(name, [conversation]);
	}
	return order.flatMap((name) => {
		const items = groups.get(name);
		return items ? [{ name, items }] : [];
	});
}
