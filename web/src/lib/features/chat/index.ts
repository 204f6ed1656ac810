export { default as ChatView } from './ChatView.svelte';
export { partsOf, sentParts } from './parts';
export { callFor, makeThread, threadOf } from './thread.svelte';
