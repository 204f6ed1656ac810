import { redirect } from '@sveltejs/kit';
import { call, client } from '$lib/api';
import { session, SET_UP, signInAddress } from '$lib/session.svelte';
import type { LayoutLoad } from './$types';

export const load: LayoutLoad = async ({ url }) => {
	const me = await session.load();
	if (me) return { me };
	const setup = await call(client.GET('/api/v1/setup'));
	redirect(307, setup.needed ? SET_UP : signInAddress(url));
};
