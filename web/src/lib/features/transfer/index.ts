export { default as DataPage } from './DataPage.svelte';
