import type { Problem } from '$lib/api';
import { m } from '$lib/i18n';

const words: Record<string, () => string> = {
	not_a_picture: m.picture_no_picture,
	picture_damaged: m.picture_damaged,
	picture_empty: m.picture_damaged,
	picture_too_large: m.picture_too_large,
	too_large: m.picture_too_large,
	no_room: m.picture_no_room,
	too_many_uploads: m.picture_wait,
	file_busy: m.picture_wait,
	unreachable: m.picture_unreachable,
	upload_timed_out: m.picture_unreachable
};

/** Why a picture could not be sent, and what to do, in few words. */
export function uploadWords(problem: Problem): string {
	return words[problem.code]?.() ?? m.picture_failed();
}

/** Trying once more can help. */
export function canRetry(problem: Problem): boolean {
	return !['not_a_picture', 'picture_damaged', 'picture_empty', 'picture_too_large', 'too_large'].includes(
		problem.code
	);
}
