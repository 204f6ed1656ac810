// What the pages of functions ask of the server.
import { call, client } from '$lib/api';
import type {
	Canary,
	Change,
	FunctionDetails,
	FunctionSettings,
	Http,
	ModelAccess,
	Sticky,
	TimerProfile,
	Version
} from './types';

const at = (id: string) => ({ path: { id } });

/** The document has settings as an object only. */
async function detailed<T>(request: Promise<unknown>): Promise<T> {
	return (await request) as T;
}

export const engineState = () => call(client.GET('/api/v1/functions/engine'));
export const listTemplates = () => call(client.GET('/api/v1/function-templates'));
export const listFunctions = () => call(client.GET('/api/v1/functions'));

export const createFunction = (body: { name: string; title?: string; template: string }) =>
	detailed<FunctionDetails>(call(client.POST('/api/v1/functions', { body })));

export const readFunction = (id: string) =>
	detailed<FunctionDetails>(call(client.GET('/api/v1/functions/{id}', { params: at(id) })));

export interface Edit {
	title?: string;
	description?: string;
	settings?: FunctionSettings;
	/** The one that was read; a stale one is refused. */
	revision?: number;
	http?: Http;
	models?: ModelAccess;
}

export const editFunction = (id: string, body: Edit) =>
	detailed<FunctionDetails>(
		// What the document calls an object is one.
		call(client.PATCH('/api/v1/functions/{id}', { params: at(id), body: body as object }))
	);

export const deleteFunction = (id: string) =>
	call(client.DELETE('/api/v1/functions/{id}', { params: at(id) }));

export const saveCode = (id: string, revision: number, changes: Change[]) =>
	detailed<FunctionDetails>(
		call(client.PUT('/api/v1/functions/{id}/code', { params: at(id), body: { revision, changes } }))
	);

/** Replaces all files by those of a zip archive. */
export const uploadArchive = (id: string, revision: number, archive: Blob) =>
	detailed<FunctionDetails>(
		call(
			client.POST('/api/v1/functions/{id}/code/archive', {
				params: { ...at(id), query: { revision } },
				// The client's types know only bodies in JSON.
				body: archive as unknown as number[],
				bodySerializer: (body: unknown) => body as Blob,
				headers: { 'content-type': 'application/zip' }
			})
		)
	);

/** One file of a version, or of LATEST where none is named. */
export const readFile = (id: string, path: string, version?: number) =>
	call(
		client.GET('/api/v1/functions/{id}/code/file', {
			params: { ...at(id), query: version === undefined ? { path } : { path, version } }
		})
	);

export const publish = (id: string, note: string) =>
	call(client.POST('/api/v1/functions/{id}/versions', { params: at(id), body: { note } }));

export const listVersions = (id: string) =>
	detailed<{ items: Version[] }>(call(client.GET('/api/v1/functions/{id}/versions', { params: at(id) })));

const alias = (id: string, name: string) => ({ path: { id, alias: name } });

export interface AliasSetting {
	version: number;
	canary: Canary | null;
	sticky: Sticky | null;
}

export const setAlias = (id: string, name: string, body: AliasSetting) =>
	call(client.PUT('/api/v1/functions/{id}/aliases/{alias}', { params: alias(id, name), body }));

export const deleteAlias = (id: string, name: string) =>
	call(client.DELETE('/api/v1/functions/{id}/aliases/{alias}', { params: alias(id, name) }));

export const promote = (id: string, name: string) =>
	call(client.POST('/api/v1/functions/{id}/aliases/{alias}/promote', { params: alias(id, name) }));

export const rollBack = (id: string, name: string) =>
	call(client.POST('/api/v1/functions/{id}/aliases/{alias}/rollback', { params: alias(id, name) }));

const secret = (id: string, name: string) => ({ path: { id, name } });

export const setSecret = (id: string, name: string, value: string) =>
	call(client.PUT('/api/v1/functions/{id}/secrets/{name}', { params: secret(id, name), body: { value } }));

export const deleteSecret = (id: string, name: string) =>
	call(client.DELETE('/api/v1/functions/{id}/secrets/{name}', { params: secret(id, name) }));

export const listInstances = (id: string) =>
	call(client.GET('/api/v1/functions/{id}/instances', { params: at(id) }));

export interface LogQuery {
	instance?: string;
	request?: string;
	after?: number;
	search?: string;
	limit?: number;
}

export const readLogs = (id: string, query: LogQuery) =>
	call(client.GET('/api/v1/functions/{id}/logs', { params: { ...at(id), query } }));

export const readMetrics = (id: string, hours: number) =>
	call(client.GET('/api/v1/functions/{id}/metrics', { params: { ...at(id), query: { hours } } }));

export const makeModel = (id: string, name: string) =>
	call(client.POST('/api/v1/functions/{id}/model', { params: at(id), body: { alias: name } }));

export const endModel = (id: string) =>
	call(client.DELETE('/api/v1/functions/{id}/model', { params: at(id) }));

export const listTimers = (id: string) =>
	call(client.GET('/api/v1/functions/{id}/timers', { params: at(id) }));

export const createTimer = (id: string, body: TimerProfile) =>
	call(client.POST('/api/v1/functions/{id}/timers', { params: at(id), body }));

const timerAt = (id: string, timer: string) => ({ path: { id, timer } });

export const changeTimer = (id: string, timer: string, body: TimerProfile) =>
	call(client.PUT('/api/v1/functions/{id}/timers/{timer}', { params: timerAt(id, timer), body }));

export const deleteTimer = (id: string, timer: string) =>
	call(client.DELETE('/api/v1/functions/{id}/timers/{timer}', { params: timerAt(id, timer) }));

/** How the latest installation of packages stands. */
export const readBuild = (id: string) => call(client.GET('/api/v1/functions/{id}/build', { params: at(id) }));

/** Installs packages now, also where that has just failed. */
export const buildAgain = (id: string) =>
	call(client.POST('/api/v1/functions/{id}/build', { params: at(id) }));
