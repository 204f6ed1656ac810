export { organise } from './organise';
export { archive, openOrganise } from './single';
export { default as ManagePage } from './ManagePage.svelte';
