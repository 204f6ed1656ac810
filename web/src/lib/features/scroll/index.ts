export { Follower } from './follower.svelte';
