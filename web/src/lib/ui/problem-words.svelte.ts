// The words for problems, which come when there is a first one: they are many, and most people never read any of them.
import { beforeProblem } from '$lib/api';
import { m } from '$lib/i18n';
import type { ProblemLike, ProblemWords } from './problem-text';

let words = $state.raw<typeof import('./problem-text') | null>(null);

async function load(): Promise<void> {
	try {
		words ??= await import('./problem-text');
	} catch {
		// The server cannot be asked, and what is said then is here.
	}
}

beforeProblem(load);

/** What happened, the server's own words where they say more, and what to do next. */
export function problemWords(problem: ProblemLike): ProblemWords {
	if (words) return words.problemWords(problem);
	if (problem.code === 'unreachable') {
		return { title: m.problem_unreachable_title(), detail: '', hint: m.problem_unreachable_hint() };
	}
	void load();
	return { title: problem.detail || problem.title || '', detail: '', hint: '' };
}
