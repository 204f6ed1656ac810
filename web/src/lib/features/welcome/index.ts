// Everything here comes once for each person: only these few words are part of the first screen.
export const loadWelcome = () => import('./Welcome.svelte');
/** Notes that the first steps are done, or passed over. */
export const welcomed = () => import('./done').then(({ done }) => done());
