import type { Problem } from '$lib/api';
import { m } from '$lib/i18n';
import type { ProblemLike } from '$lib/ui';

const words: Record<string, () => { detail: string; hint: string }> = {
	no_such_person: () => ({
		detail: m.problem_no_such_person_title(),
		hint: m.problem_no_such_person_hint()
	}),
	nothing_usable: () => ({
		detail: m.problem_nothing_usable_title(),
		hint: m.problem_nothing_usable_hint()
	})
};

/** A problem of an assistant in words that only these pages need. */
export function told(problem: Problem): ProblemLike {
	const own = words[problem.code]?.();
	return own ? { code: 'told', ...own } : problem;
}
