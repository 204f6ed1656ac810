export { TurnSettings } from './settings.svelte';
export { default as Parameters } from './Parameters.svelte';
export { default as ParameterSheet } from './LazyParameterSheet.svelte';
