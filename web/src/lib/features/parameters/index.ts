export { TurnSettings } from './settings.svelte';
export { default as Parameters } from './Parameters.svelte';
export { default as ParameterSheet } from './LazyParameterSheet.svelte';
export { default as OptionalSlider } from './OptionalSlider.svelte';
export { default as ParameterRows } from './ParameterRows.svelte';
export type { Scale } from './fields';
