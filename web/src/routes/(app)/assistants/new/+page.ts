import type { PageLoad } from './$types';

export const load: PageLoad = async ({ url }) => {
	if (!url.searchParams.has('from')) return {};
	// Asked for only where it is wanted, for the reason that the gallery's own page tells.
	const { offered } = await import('$lib/features/gallery');
	return { start: await offered(url.searchParams) };
};
