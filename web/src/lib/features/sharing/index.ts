export { default as LinksPage } from './LinksPage.svelte';
export { default as SharedMessageView } from './SharedMessage.svelte';
export { default as SharedPage } from './SharedPage.svelte';
