import type { PageLoad } from './$types';

// Asked for here and not imported, because every page, the first screen too, has the names of all files that others import.
export const load: PageLoad = async () => {
	const { GalleryPage } = await import('$lib/features/gallery');
	return { GalleryPage };
};
