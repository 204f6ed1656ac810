export { default as GalleryPage } from './GalleryPage.svelte';
export { offered } from './offered';
