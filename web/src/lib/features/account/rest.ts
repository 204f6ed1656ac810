import type { Problem } from '$lib/api';

/** The problem, unless all it says stands beside the fields of the form already. */
export function restOf(problem: Problem | null, shown: string[]): Problem | null {
	if (!problem || problem.fields.length === 0) return problem;
	return problem.fields.every((fault) => shown.includes(fault.field)) ? null : problem;
}
