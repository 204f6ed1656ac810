export { default as ChatView } from './ChatView.svelte';
export { partsOf, sentParts } from './parts';
export { callFor, Thread, threadOf } from './thread.svelte';
