export { attachmentsOf } from './attachments.svelte';
export { default as Tray } from './Tray.svelte';
