export { default as SharedMessageView } from './SharedMessage.svelte';
