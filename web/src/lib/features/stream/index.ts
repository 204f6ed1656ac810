export { hub } from './hub.svelte';
export type { LiveGeneration, Outcome } from './generation.svelte';
export type { ConversationEvent } from './events';
export { EventReader } from './sse';
