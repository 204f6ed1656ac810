export { default as FunctionPage } from './FunctionPage.svelte';
export { default as FunctionsPage } from './FunctionsPage.svelte';
export { default as NewFunctionPage } from './NewFunctionPage.svelte';
export { default as VolumePage } from './VolumePage.svelte';
export { default as VolumesPage } from './VolumesPage.svelte';
