export { attend, queueOf, watch } from './queues';
export { default as QueueTray } from './QueueTray.svelte';
