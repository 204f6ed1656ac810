// What a conversation shows of its assistant comes only where there is one.
export const loadChip = () => import('./AssistantChip.svelte');
export const loadGreeting = () => import('./AssistantGreeting.svelte');
