export { default as Composer } from './Composer.svelte';
export { drafts, NEW } from './drafts';
