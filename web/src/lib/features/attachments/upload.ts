import type { StoredFile } from '$lib/api';
import { send } from '$lib/api/send';

/** Sends a picture. */
export function upload(file: File, watch: Parameters<typeof send>[2]): Promise<StoredFile> {
	return send(`/api/v1/files?name=${encodeURIComponent(file.name)}`, file, watch);
}
