import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Conversation } from '$lib/api';

vi.mock('$lib/features/stream', () => ({
	hub: { onConversation: () => () => undefined, onMissed: () => () => undefined }
}));

const conversation = (id: string, updated_at: string): Conversation => ({
	id,
	title: id,
	pinned: false,
	model: null,
	parameters: {},
	role: '',
	assistant_id: null,
	project_id: null,
	archived: false,
	tags: [],
	leaf_id: null,
	generating: false,
	unread: false,
	temporary_until: null,
	auto_summary: true,
	summarised_at: null,
	created_at: updated_at,
	updated_at
});

describe('the list of conversations', () => {
	let listed: Conversation[] = [];
	let held: Promise<void> | null = null;
	let conversations: typeof import('./list.svelte').conversations;
	const ids = () => conversations.groups.flatMap(({ items }) => items.map(({ id }) => id));

	beforeEach(async () => {
		held = null;
		listed = [conversation('a', '2026-01-01T00:00:00Z')];
		vi.stubGlobal('fetch', async (request: Request) => {
			const pinned = new URL(request.url).searchParams.has('pinned');
			const response = Response.json({ items: pinned ? [] : listed, next_cursor: null });
			await held;
			return response;
		});
		vi.stubGlobal(
			'Request',
			class extends Request {
				constructor(input: RequestInfo | URL, init?: RequestInit) {
					super(typeof input === 'string' ? new URL(input, 'http://stoa.test') : input, init);
				}
			}
		);
		vi.resetModules();
		({ conversations } = await import('./list.svelte'));
	});
	afterEach(() => void vi.unstubAllGlobals());

	it('lets go of what the server has no more', async () => {
		await conversations.refresh();
		expect(ids()).toEqual(['a']);
		listed = [conversation('b', '2026-01-02T00:00:00Z')];
		await conversations.refresh();
		expect(ids()).toEqual(['b']);
	});

	it('keeps what it heard of while it was reading', async () => {
		let release: () => void = () => undefined;
		held = new Promise((done) => (release = done));
		const reading = conversations.refresh();
		conversations.put(conversation('new', '2026-01-03T00:00:00Z'));
		conversations.put({ ...conversation('a', '2026-01-04T00:00:00Z'), title: 'newer' });
		release();
		await reading;
		expect(ids()).toEqual(['a', 'new']);
		expect(conversations.get('a')?.title).toBe('newer');
	});
});
