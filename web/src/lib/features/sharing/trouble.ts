import type { Problem } from '$lib/api';
import { m } from '$lib/i18n';
import type { ProblemLike } from '$lib/ui';

const words: Record<string, () => { detail: string; hint: string }> = {
	nothing_to_share: () => ({
		detail: m.problem_nothing_to_share_title(),
		hint: m.problem_nothing_to_share_hint()
	}),
	public_links_off: () => ({
		detail: m.problem_public_links_off_title(),
		hint: m.problem_public_links_off_hint()
	})
};

/** A problem of a link in words that only these pages need. */
export function told(problem: Problem): ProblemLike {
	const own = words[problem.code]?.();
	return own ? { code: 'told', ...own } : problem;
}
