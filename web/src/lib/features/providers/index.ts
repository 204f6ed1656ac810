export { default as LocalModelsPage } from './LocalModelsPage.svelte';
export { default as ProviderPage } from './ProviderPage.svelte';
export { default as ProvidersPage } from './ProvidersPage.svelte';
