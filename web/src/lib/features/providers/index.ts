export { default as ProviderPage } from './ProviderPage.svelte';
export { default as ProvidersPage } from './ProvidersPage.svelte';
export { abilityName } from './models';
