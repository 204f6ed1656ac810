import { redirect } from '@sveltejs/kit';
import { call, client } from '$lib/api';
import { SIGN_IN } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async () => {
	const state = await call(client.GET('/api/v1/setup'));
	if (!state.needed) redirect(307, SIGN_IN);
	return { tokenRequired: state.token_required };
};
