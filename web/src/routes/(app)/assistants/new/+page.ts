import { offered } from '$lib/features/gallery';
import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => ({ start: await offered(url.searchParams) });
