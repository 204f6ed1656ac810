import { call, client } from '$lib/api';

/** Lets the server connect to this exact private host and port. */
export async function allowAddress(authority: string): Promise<void> {
	await call(client.POST('/api/v1/egress/allowances', { body: { authority } }));
}
