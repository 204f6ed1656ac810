// Everything here comes when it is first needed: only these few words are part of the first screen.
export type { Attachments } from './attachments.svelte';
export type { Picture } from './picture';

/** What pictures are kept in until they are sent, and the strip that shows them. */
export const loadTray = () => import('./tray');
/** Why a picture could not be sent, in words. */
export const loadWords = () => import('./words');
export const loadLightbox = () => import('./Lightbox.svelte');

/** What a phone or a file dialog offers; what comes is looked at all the same. */
export const TAKEN = 'image/png,image/jpeg,image/webp,image/gif';
