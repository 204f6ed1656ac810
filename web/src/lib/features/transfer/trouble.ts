import type { Problem } from '$lib/api';
import { m } from '$lib/i18n';
import type { ProblemLike } from '$lib/ui';

const words: Record<string, () => { detail: string; hint: string }> = {
	import_unknown: () => ({ detail: m.problem_import_unknown_title(), hint: m.problem_import_unknown_hint() }),
	import_too_new: () => ({ detail: m.problem_import_too_new_title(), hint: m.problem_import_too_new_hint() }),
	too_many_imports: () => ({
		detail: m.problem_too_many_imports_title(),
		hint: m.problem_too_many_imports_hint()
	})
};

/** A problem of an import in words that only this page needs. */
export function told(problem: Problem): ProblemLike {
	const own = words[problem.code]?.();
	return own ? { code: 'told', ...own } : problem;
}
