export { TurnSettings } from './settings.svelte';
export { default as Parameters } from './Parameters.svelte';
