// A problem in the reader's language. Codes the interface knows have words of their own; the server's detail is always kept.
import { m } from '$lib/i18n';

export interface ProblemLike {
	code: string;
	title?: string;
	detail?: string;
	/** Empty: none is wanted here, also where the code has one of its own. */
	hint?: string | null;
}
export interface ProblemWords {
	title: string;
	detail: string;
	hint: string;
}

type Words = () => string;
const known: Record<string, { title: Words; hint?: Words }> = {
	unreachable: { title: m.problem_unreachable_title, hint: m.problem_unreachable_hint },
	unauthenticated: { title: m.problem_unauthenticated_title, hint: m.problem_unauthenticated_hint },
	forbidden: { title: m.problem_forbidden_title, hint: m.problem_forbidden_hint },
	not_found: { title: m.problem_not_found_title, hint: m.problem_not_found_hint },
	wrong_credentials: { title: m.problem_wrong_credentials_title, hint: m.problem_wrong_credentials_hint },
	wrong_password: { title: m.problem_wrong_password_title, hint: m.problem_wrong_password_hint },
	wrong_setup_token: { title: m.problem_wrong_token_title, hint: m.problem_wrong_token_hint },
	too_many_attempts: { title: m.problem_too_many_attempts_title, hint: m.problem_too_many_attempts_hint },
	already_set_up: { title: m.problem_already_set_up_title, hint: m.problem_already_set_up_hint },
	email_taken: { title: m.problem_email_taken_title, hint: m.problem_email_taken_hint },
	slug_taken: { title: m.problem_slug_taken_title, hint: m.problem_slug_taken_hint },
	last_owner: { title: m.problem_last_owner_title, hint: m.problem_last_owner_hint },
	invalid_request: { title: m.problem_invalid_request_title },
	invalid_fields: { title: m.problem_invalid_request_title },
	busy: { title: m.problem_busy_title, hint: m.problem_busy_hint },
	database_unavailable: { title: m.problem_database_title, hint: m.problem_database_hint },
	shutting_down: { title: m.problem_shutting_down_title, hint: m.problem_shutting_down_hint },
	too_many_models: { title: m.problem_too_many_models_title, hint: m.problem_too_many_models_hint },
	egress_refused: { title: m.problem_egress_refused_title, hint: m.problem_egress_refused_hint },
	provider_unreachable: {
		title: m.problem_provider_unreachable_title,
		hint: m.problem_provider_unreachable_hint
	},
	provider_refused: { title: m.problem_provider_refused_title, hint: m.problem_provider_refused_hint },
	provider_protocol: { title: m.problem_provider_protocol_title, hint: m.problem_provider_protocol_hint },
	provider_cut_off: { title: m.problem_provider_cut_off_title, hint: m.problem_provider_cut_off_hint },
	provider_timed_out: { title: m.problem_provider_timed_out_title, hint: m.problem_provider_timed_out_hint },
	context_exceeded: { title: m.problem_context_exceeded_title, hint: m.problem_context_exceeded_hint },
	model_not_found: { title: m.problem_model_not_found_title, hint: m.problem_model_not_found_hint },
	model_busy: { title: m.problem_model_busy_title, hint: m.problem_model_busy_hint },
	worker_failed: { title: m.problem_worker_failed_title, hint: m.problem_worker_failed_hint },
	internal: { title: m.problem_internal_title, hint: m.problem_internal_hint }
};

/** What happened, the server's own words about it, and what to do next. */
export function problemWords(problem: ProblemLike): ProblemWords {
	const words = known[problem.code];
	// The title of an unknown problem is only its status in words; what the server says about it tells more.
	const title = words?.title() ?? (problem.detail || problem.title || m.problem_unknown_title());
	const detail = problem.detail && problem.detail !== title ? problem.detail : '';
	return { title, detail, hint: problem.hint === '' ? '' : (words?.hint?.() ?? problem.hint ?? '') };
}
