import { call, client, Problem } from '$lib/api';
import { problemWords, toasts } from '$lib/ui';

/** Conversations of one request. */
export const AT_ONCE = 200;

export interface Change {
	archived?: boolean;
	project_id?: string | null;
	add_tags?: string[];
	remove_tags?: string[];
	deleted?: boolean;
}

/** Does the same with many conversations, and says what went wrong. True when it was done. */
export async function organise(ids: string[], change: Change): Promise<boolean> {
	try {
		// The document has no way to say that `null` is one of the values.
		const body = { add_tags: [], remove_tags: [], ...change, ids } as Omit<Change, 'project_id'> & {
			ids: string[];
			add_tags: string[];
			remove_tags: string[];
		};
		await call(client.POST('/api/v1/conversations/bulk', { body }));
		return true;
	} catch (caught) {
		const { title, detail } = problemWords(Problem.from(caught));
		toasts.show(detail ? `${title}. ${detail}` : title, { tone: 'bad' });
		return false;
	}
}
