export { default as AllowOffer } from './AllowOffer.svelte';
export { default as NetworkPage } from './NetworkPage.svelte';
