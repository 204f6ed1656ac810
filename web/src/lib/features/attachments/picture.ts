import type { StoredFile } from '$lib/api';

/** A picture that the server keeps. */
export type Picture = Pick<StoredFile, 'id' | 'name' | 'width' | 'height'>;
