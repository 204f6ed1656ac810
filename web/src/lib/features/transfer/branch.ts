// The branch of a conversation that is shown, whole, for what cannot be made page by page.
import { call, client, type Conversation, type Message } from '$lib/api';

const PAGE = 100;

/** Its messages, oldest first; null when there are more than so many. */
export async function branchOf(conversation: Conversation, most: number): Promise<Message[] | null> {
	let messages: Message[] = [];
	for (;;) {
		const before = messages[0]?.id;
		const query = { limit: PAGE, ...(before ? { before } : {}), ...leafOf(conversation) };
		const params = { path: { id: conversation.id }, query };
		const page = await call(client.GET('/api/v1/conversations/{id}/messages', { params }));
		messages = [...page.items, ...messages];
		if (messages.length > most) return null;
		if (!page.has_more) return messages;
	}
}

const leafOf = ({ leaf_id: leaf }: Conversation) => (leaf ? { leaf } : {});
