import { call, client } from '$lib/api';
import { layout } from '$lib/features/shell';

/** Finds out whether the way to the functions is shown: to those who may make some, or have some. Kept for the next time. */
export async function offerFunctions(): Promise<void> {
	try {
		const engine = call(client.GET('/api/v1/functions/engine'));
		const functions = call(client.GET('/api/v1/functions'));
		layout.functions = (await engine).may_create || (await functions).items.length > 0;
	} catch {
		// As it was the last time.
	}
}
