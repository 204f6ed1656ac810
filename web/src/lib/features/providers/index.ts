export { default as ProviderPage } from './ProviderPage.svelte';
export { default as ProvidersPage } from './ProvidersPage.svelte';
export { default as ConnectionForm } from './ConnectionForm.svelte';
export { default as ConnectivityCheck } from './ConnectivityCheck.svelte';
export { default as ProviderModels } from './ProviderModels.svelte';
export { isBaseUrl, normaliseBaseUrl } from './base-url';
export { ProviderEditor, type ProviderDoor } from './editor.svelte';
export { abilityName } from './models';
export { slugWords, suggestSlug } from './slug';
