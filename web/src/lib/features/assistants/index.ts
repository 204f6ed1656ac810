export { assistants } from './catalogue.svelte';
export { loadChip, loadGreeting } from './parts';
export { default as AssistantFace } from './AssistantFace.svelte';
export { default as AssistantsPage } from './AssistantsPage.svelte';
export { default as AssistantPage } from './AssistantPage.svelte';
export { inkOn, signOf, type Face } from './face';
