export { default as LocalModelsPage } from './LocalModelsPage.svelte';
