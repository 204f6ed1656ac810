export { conversations, conversationsOf } from './list.svelte';
export { default as ConversationNav } from './ConversationNav.svelte';
export { default as Rename } from './Rename.svelte';
export { conversationActions, titleOf } from './actions';
