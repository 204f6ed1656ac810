import { call, client } from '$lib/api';
import { session } from '$lib/session.svelte';

/** Never shows the first steps again, here at once and on the server. */
export async function done(): Promise<void> {
	const { me } = session;
	if (!me || me.welcomed) return;
	session.accept({ ...me, welcomed: true });
	await call(client.PATCH('/api/v1/me', { body: { welcomed: true } }));
}
