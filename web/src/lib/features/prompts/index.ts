export { prompts } from './catalogue.svelte';
export { variablesOf } from './places';
export { default as FillDialog } from './FillDialog.svelte';
export { default as PromptsPage } from './PromptsPage.svelte';
