export { projects } from './catalogue.svelte';
export { default as ProjectIcon } from './ProjectIcon.svelte';
export { default as ProjectNav } from './ProjectNav.svelte';
export { default as ProjectsPage } from './ProjectsPage.svelte';
