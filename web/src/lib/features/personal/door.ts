import { call, client, type CheckResult, type PersonalProvider, type Provider } from '$lib/api';
import { ask, CallFault, listModels } from '$lib/features/browser-calls';
import type { ProviderDoor } from '$lib/features/providers';

/** As the forms of providers take it. */
export const asProvider = (own: PersonalProvider): Provider => ({ ...own, kind: 'openai', enabled: true });

const connectionOf = (id: string) =>
	call(client.GET('/api/v1/personal-providers/{id}/connection', { params: { path: { id } } }));

const failed = (fault: CallFault): CheckResult => ({
	ok: false,
	model: null,
	latency_ms: null,
	failure: { code: fault.code, detail: fault.message, authority: null }
});

/** Providers of one's own: the server keeps what is known of them, and this browser asks them. */
export const personal: ProviderDoor = {
	async update(id, { name, base_url, api_key }) {
		const body = { name, base_url, ...(api_key === undefined ? {} : { api_key }) };
		const changed = await call(
			client.PATCH('/api/v1/personal-providers/{id}', { params: { path: { id } }, body })
		);
		// A page may connect to what its own policy names, and that is settled when it is loaded.
		if (base_url !== undefined) location.reload();
		return asProvider(changed);
	},
	async putModels(id, models) {
		const path = { id };
		const body = { models };
		return asProvider(
			await call(client.PUT('/api/v1/personal-providers/{id}/models', { params: { path }, body }))
		);
	},
	async fetchModels(provider) {
		const { models_url: url, api_key } = await connectionOf(provider.id);
		const known = new Set(provider.models.map((model) => model.name));
		const listed = await listModels({ url, api_key });
		return this.putModels(provider.id, [
			...provider.models,
			...listed.filter((model) => !known.has(model.name))
		]);
	},
	async check(provider, wanted) {
		const model = wanted ?? (provider.models.find((one) => one.enabled) ?? provider.models[0])?.name;
		const { chat_url, models_url, api_key } = await connectionOf(provider.id);
		const begun = performance.now();
		try {
			if (!model) {
				await listModels({ url: models_url, api_key });
			} else {
				const messages = [{ role: 'user', content: 'Say hello.' }];
				const body = JSON.stringify({ model, messages, max_tokens: 16, stream: true });
				await ask({ url: chat_url, api_key }, body, AbortSignal.timeout(120_000), () => undefined);
			}
			return { ok: true, model: model ?? null, latency_ms: performance.now() - begun, failure: null };
		} catch (caught) {
			return failed(caught instanceof CallFault ? caught : new CallFault('timed_out'));
		}
	}
};
