export { TurnSettings } from './settings.svelte';
export { default as ParameterPanel } from './ParameterPanel.svelte';
