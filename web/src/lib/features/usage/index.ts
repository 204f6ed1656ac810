export { default as UsagePage } from './UsagePage.svelte';
