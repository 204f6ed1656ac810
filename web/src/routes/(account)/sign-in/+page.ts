import { redirect } from '@sveltejs/kit';
import { call, client } from '$lib/api';
import { placeAfterSignIn, session, SET_UP } from '$lib/session.svelte';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => {
	if (await session.load()) redirect(307, placeAfterSignIn(url.searchParams));
	const setup = await call(client.GET('/api/v1/setup'));
	if (setup.needed) redirect(307, SET_UP);
};
