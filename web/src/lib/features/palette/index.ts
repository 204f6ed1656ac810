export { fit } from './fit';
export { default as Palette } from './Palette.svelte';
