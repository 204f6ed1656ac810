export { hub } from './hub.svelte';
export type { LiveGeneration, Outcome } from './generation.svelte';
export type { ConversationEvent, StreamProblem } from './events';
export type { LivePart } from './log';
