// What functions took, as the server sums it up.
import { call, client } from '$lib/api';

export const readAccount = (hours: number) =>
	call(client.GET('/api/v1/functions/account', { params: { query: { hours } } }));

export const readAccountOf = (id: string, hours: number) =>
	call(client.GET('/api/v1/function-accounts/{id}', { params: { path: { id }, query: { hours } } }));
