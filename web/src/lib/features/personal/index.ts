export { default as PersonalProviderPage } from './PersonalProviderPage.svelte';
export { default as PersonalProvidersPage } from './PersonalProvidersPage.svelte';
