export { default as ChatView } from './ChatView.svelte';
export { Thread, threadOf } from './thread.svelte';
