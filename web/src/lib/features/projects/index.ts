export { projects } from './catalogue.svelte';
export { mayDrop } from './drop';
export { default as ProjectIcon } from './ProjectIcon.svelte';
export { default as ProjectNav } from './ProjectNav.svelte';
export { default as ProjectsPage } from './ProjectsPage.svelte';
