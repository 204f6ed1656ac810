export { default as ChatView } from './ChatView.svelte';
export { partsOf, sentParts } from './parts';
export { callFor } from './thread.svelte';
export { makeThread, threadOf } from './threads.svelte';
