// What the pages of volumes ask of the server.
import { call, client } from '$lib/api';
import type { components } from '$lib/api/schema';

export type Volume = components['schemas']['VolumeView'];
export type VolumeFile = components['schemas']['VolumeFile'];
export type VolumeFolder = components['schemas']['VolumeFolder'];

const at = (name: string) => ({ path: { name } });

export const listVolumes = () => call(client.GET('/api/v1/function-volumes'));

export const readVolume = (name: string) =>
	call(client.GET('/api/v1/function-volumes/{name}', { params: at(name) }));

export const createVolume = (body: { name: string; description: string; size_mib: number }) =>
	call(client.POST('/api/v1/function-volumes', { body }));

export const changeVolume = (name: string, body: { description: string; size_mib: number }) =>
	call(client.PATCH('/api/v1/function-volumes/{name}', { params: at(name), body }));

export const deleteVolume = (name: string) =>
	call(client.DELETE('/api/v1/function-volumes/{name}', { params: at(name) }));

const file = (name: string, path: string) => ({ ...at(name), query: { path } });

export const listFolder = (name: string, path: string) =>
	call(client.GET('/api/v1/function-volumes/{name}/files', { params: file(name, path) }));

/** In the place of what was called so. */
export const putFile = (name: string, path: string, content: Blob) =>
	call(
		client.PUT('/api/v1/function-volumes/{name}/files', {
			params: file(name, path),
			// The client's types know only bodies in JSON.
			body: content as unknown as number[],
			bodySerializer: (body: unknown) => body as Blob,
			headers: { 'content-type': 'application/octet-stream' }
		})
	);

export const deleteFile = (name: string, path: string) =>
	call(client.DELETE('/api/v1/function-volumes/{name}/files', { params: file(name, path) }));

/** Where the browser fetches a file by itself. */
export const contentAddress = (name: string, path: string) =>
	`/api/v1/function-volumes/${encodeURIComponent(name)}/content?path=${encodeURIComponent(path)}`;
