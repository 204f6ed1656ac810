export { layout } from './layout.svelte';
export { default as Shell } from './Shell.svelte';
