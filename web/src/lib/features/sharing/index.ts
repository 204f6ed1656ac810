export { default as LinksPage } from './LinksPage.svelte';
export { default as SharedPage } from './SharedPage.svelte';
