// Everything here comes when something waits: only these few words are part of the first screen.
import { kept } from './kept';

export type { Queue, Queued, Ready } from './queue.svelte';
export const loadQueue = () => import('./kit');
/** Forgets what waits in a conversation that is gone. */
export const forgetQueue = (conversation: string): void => void kept.write(conversation, null);
/** Whether something waits in this conversation; without one, in any. */
export const waits = (conversation?: string): boolean =>
	conversation === undefined ? kept.all().length > 0 : kept.read(conversation) !== null;
