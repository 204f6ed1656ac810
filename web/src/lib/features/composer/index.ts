export { default as Composer } from './Composer.svelte';
export { NEW } from './drafts';
