export { conversations, conversationsOf } from './list.svelte';
export { default as ConversationNav } from './ConversationNav.svelte';
export { default as Rename } from './Rename.svelte';
export { conversationActions, titleOf } from './actions';
/** What can be done with threads comes with the panel that shows one. */
export const loadThreadActions = () => import('./threads');
