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
	// Read once: as text, times with and without a fraction of a second are not in order.
	const dated = [...conversations].map((conversation) => ({
		conversation,
		at: Date.parse(conversation.updated_at)
	}));
	dated.sort((a, b) => b.at - a.at);
	for (const { conversation, at } of dated) {
		const name = conversation.pinned ? 'pinned' : groupOf(new Date(at), now);
		const items = groups.get(name);
		if (items) items.push(conversation);
		else groups.set(name, [conversation]);
	}
	return order.flatMap((name) => {
		const items = groups.get(name);
		return items ? [{ name, items }] : [];
	});
}
