export { actName } from './names';
export { shortcuts, type Act } from './shortcuts.svelte';
export { default as Help } from './Help.svelte';
export { default as ShortcutsPage } from './ShortcutsPage.svelte';
