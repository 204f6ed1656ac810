// A problem in the reader's language. Every code of the server has words of its own here; its English detail is kept where it
// says more than they do.
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
interface Known {
	title: Words;
	hint?: Words;
	/** The server's detail carries facts that these words do not have: a name, a number, what a provider said. */
	facts?: true;
}
const notUnderstood: Known = {
	title: m.problem_not_understood_title,
	hint: m.problem_not_understood_hint,
	facts: true
};
/** Told at the picture, the import or the link itself, in better words. */
const refused: Known = { title: m.problem_refused_title, hint: m.problem_refused_hint, facts: true };
const known: Record<string, Known> = {
	unreachable: { title: m.problem_unreachable_title, hint: m.problem_unreachable_hint },
	unauthenticated: { title: m.problem_unauthenticated_title, hint: m.problem_unauthenticated_hint },
	forbidden: { title: m.problem_forbidden_title, hint: m.problem_forbidden_hint },
	cross_site: { title: m.problem_cross_site_title, hint: m.problem_cross_site_hint },
	not_found: { title: m.problem_not_found_title, hint: m.problem_not_found_hint },
	stream_gone: { title: m.problem_not_found_title, hint: m.problem_not_found_hint },
	wrong_credentials: { title: m.problem_wrong_credentials_title, hint: m.problem_wrong_credentials_hint },
	wrong_setup_token: { title: m.problem_wrong_token_title, hint: m.problem_wrong_token_hint },
	too_many_attempts: { title: m.problem_too_many_attempts_title, hint: m.problem_too_many_attempts_hint },
	too_many_streams: { title: m.problem_too_many_streams_title, hint: m.problem_too_many_streams_hint },
	too_many_generations: {
		title: m.problem_too_many_generations_title,
		hint: m.problem_too_many_generations_hint
	},
	already_set_up: { title: m.problem_already_set_up_title, hint: m.problem_already_set_up_hint },
	email_taken: { title: m.problem_email_taken_title, hint: m.problem_email_taken_hint },
	slug_taken: { title: m.problem_slug_taken_title, hint: m.problem_slug_taken_hint },
	taken: { title: m.problem_taken_title, hint: m.problem_taken_hint, facts: true },
	last_owner: { title: m.problem_last_owner_title, hint: m.problem_last_owner_hint },
	refused,
	assistant_gone: refused,
	assistant_not_here: { ...refused, hint: m.problem_assistant_not_here_hint },
	no_such_person: refused,
	nothing_usable: refused,
	file_in_use: refused,
	import_unknown: refused,
	import_too_new: refused,
	too_many_imports: refused,
	nothing_to_share: refused,
	public_links_off: refused,
	no_room: refused,
	not_a_picture: refused,
	picture_damaged: refused,
	picture_empty: refused,
	picture_too_large: refused,
	file_busy: refused,
	files_unavailable: refused,
	too_many_uploads: refused,
	upload_timed_out: refused,
	pictures_unavailable: { title: m.problem_busy_title, hint: m.problem_busy_hint, facts: true },
	browser_unreachable: { title: m.problem_browser_title, hint: m.problem_browser_unreachable_hint },
	browser_not_allowed: {
		title: m.problem_browser_title,
		hint: () => m.problem_browser_not_allowed_hint({ origin: location.origin })
	},
	browser_mixed_content: { title: m.problem_browser_title, hint: m.problem_browser_mixed_hint },
	browser_local_network: { title: m.problem_browser_title, hint: m.problem_browser_local_hint },
	browser_page_outdated: { title: m.problem_browser_title, hint: m.problem_browser_outdated_hint },
	personal_providers_off: { title: m.personal_off_title, hint: m.personal_off_text },
	model_cannot_see: { title: m.problem_cannot_see_title, hint: m.problem_cannot_see_hint, facts: true },
	invalid_request: {
		title: m.problem_invalid_request_title,
		hint: m.problem_invalid_request_hint,
		facts: true
	},
	invalid_fields: { title: m.problem_invalid_fields_title, hint: m.problem_invalid_fields_hint, facts: true },
	invalid_query: notUnderstood,
	malformed_json: notUnderstood,
	not_json: notUnderstood,
	body_unreadable: notUnderstood,
	method_not_allowed: notUnderstood,
	too_large: { title: m.problem_too_large_title, hint: m.problem_too_large_hint, facts: true },
	busy: { title: m.problem_busy_title, hint: m.problem_busy_hint },
	database_unavailable: { title: m.problem_database_title, hint: m.problem_database_hint },
	shutting_down: { title: m.problem_shutting_down_title, hint: m.problem_shutting_down_hint },
	too_many_models: {
		title: m.problem_too_many_models_title,
		hint: m.problem_too_many_models_hint,
		facts: true
	},
	egress_refused: { title: m.problem_egress_refused_title, hint: m.problem_egress_refused_hint, facts: true },
	provider_unreachable: {
		title: m.problem_provider_unreachable_title,
		hint: m.problem_provider_unreachable_hint,
		facts: true
	},
	provider_refused: {
		title: m.problem_provider_refused_title,
		hint: m.problem_provider_refused_hint,
		facts: true
	},
	provider_protocol: {
		title: m.problem_provider_protocol_title,
		hint: m.problem_provider_protocol_hint,
		facts: true
	},
	provider_cut_off: { title: m.problem_provider_cut_off_title, hint: m.problem_provider_cut_off_hint },
	provider_timed_out: {
		title: m.problem_provider_timed_out_title,
		hint: m.problem_provider_timed_out_hint,
		facts: true
	},
	context_exceeded: {
		title: m.problem_context_exceeded_title,
		hint: m.problem_context_exceeded_hint,
		facts: true
	},
	model_not_found: {
		title: m.problem_model_not_found_title,
		hint: m.problem_model_not_found_hint,
		facts: true
	},
	too_many_waiting: { title: m.problem_too_many_waiting_title, hint: m.problem_too_many_waiting_hint },
	model_busy: { title: m.problem_model_busy_title, hint: m.problem_model_busy_hint },
	model_no_room: { title: m.problem_no_room_title, hint: m.problem_no_room_hint, facts: true },
	worker_failed: { title: m.problem_worker_failed_title, hint: m.problem_worker_failed_hint, facts: true },
	answer_too_long: { title: m.problem_answer_too_long_title, hint: m.problem_answer_too_long_hint },
	disk_full: { title: m.problem_disk_full_title, hint: m.problem_disk_full_hint, facts: true },
	model_store_failed: { title: m.problem_model_store_title, hint: m.problem_model_store_hint, facts: true },
	model_too_large: {
		title: m.problem_model_too_large_title,
		hint: m.problem_model_too_large_hint,
		facts: true
	},
	model_unusable: { title: m.problem_model_unusable_title, hint: m.problem_model_unusable_hint, facts: true },
	pull_running: { title: m.problem_pull_running_title, hint: m.problem_pull_running_hint },
	pull_stopped: { title: m.problem_pull_stopped_title, hint: m.problem_pull_stopped_hint },
	registry_answer: {
		title: m.problem_registry_answer_title,
		hint: m.problem_registry_answer_hint,
		facts: true
	},
	registry_model_not_found: {
		title: m.problem_registry_not_found_title,
		hint: m.problem_registry_not_found_hint,
		facts: true
	},
	registry_not_usable: {
		title: m.problem_registry_not_usable_title,
		hint: m.problem_registry_not_usable_hint,
		facts: true
	},
	registry_sign_in: {
		title: m.problem_registry_sign_in_title,
		hint: m.problem_registry_sign_in_hint,
		facts: true
	},
	assistant_not_found: {
		title: m.problem_assistant_not_found_title,
		hint: m.problem_assistant_not_found_hint
	},
	thread_in_thread: { title: m.problem_thread_in_thread_title, hint: m.problem_thread_in_thread_hint },
	too_many_threads: { title: m.problem_too_many_threads_title, hint: m.problem_too_many_threads_hint },
	answer_running: { title: m.problem_answer_running_title, hint: m.problem_answer_running_hint },
	registry_unreachable: {
		title: m.problem_registry_unreachable_title,
		hint: m.problem_registry_unreachable_hint,
		facts: true
	},
	search_answer: { title: m.problem_search_answer_title, hint: m.problem_search_answer_hint, facts: true },
	search_off: { title: m.problem_search_off_title, hint: m.problem_search_off_hint },
	search_too_slow: { title: m.problem_search_too_slow_title, hint: m.problem_search_too_slow_hint },
	search_unreachable: {
		title: m.problem_search_unreachable_title,
		hint: m.problem_search_unreachable_hint,
		facts: true
	},
	too_many_pulls: { title: m.problem_too_many_pulls_title, hint: m.problem_too_many_pulls_hint },
	name_taken: { title: m.fn_problem_taken, hint: m.fn_problem_taken_hint },
	function_changed: { title: m.fn_problem_changed, hint: m.fn_problem_changed_hint },
	nothing_changed: { title: m.fn_problem_nothing, hint: m.fn_problem_nothing_hint },
	function_start_failed: { title: m.fn_problem_start, hint: m.fn_problem_start_hint, facts: true },
	token_not_taken: { title: m.fn_problem_token, hint: m.fn_problem_token_hint, facts: true },
	keys_unavailable: { title: m.fn_problem_keys, hint: m.fn_problem_keys_hint },
	function_busy: { title: m.fn_problem_busy, hint: m.fn_problem_busy_hint },
	function_call_depth: refused,
	function_timeout: { title: m.fn_problem_timeout, hint: m.fn_problem_timeout_hint, facts: true },
	function_broken: { title: m.fn_problem_broken, hint: m.fn_problem_broken_hint, facts: true },
	alias_in_use: { title: m.fn_problem_in_use, hint: m.fn_problem_in_use_hint, facts: true },
	code_not_taken: { title: m.fn_problem_refused, hint: m.fn_problem_code_hint, facts: true },
	code_too_large: { title: m.fn_problem_code_large, hint: m.fn_problem_code_large_hint, facts: true },
	no_such_file: { title: m.fn_problem_gone, hint: m.fn_problem_gone_hint, facts: true },
	no_such_version: { title: m.fn_problem_gone, hint: m.fn_problem_gone_hint, facts: true },
	not_published: { title: m.fn_problem_unpublished, hint: m.fn_problem_unpublished_hint },
	nothing_before: { title: m.fn_problem_no_step, hint: m.fn_problem_no_step_hint },
	nothing_tried: { title: m.fn_problem_no_step, hint: m.fn_problem_no_step_hint },
	functions_unavailable: { title: m.fn_problem_unavailable, hint: m.fn_off_member, facts: true },
	function_build_failed: { title: m.fn_problem_build, hint: m.fn_problem_build_hint, facts: true },
	volume_full: { title: m.fn_problem_volume_full, hint: m.fn_problem_volume_full_hint },
	volumes_too_large: {
		title: m.fn_problem_volumes_too_large,
		hint: m.fn_problem_volumes_too_large_hint,
		facts: true
	},
	volume_missing: { title: m.fn_problem_volume_missing, hint: m.fn_problem_volume_missing_hint },
	no_such_volume: { title: m.fn_problem_volume_missing, hint: m.fn_problem_volume_missing_hint },
	volume_in_use: { title: m.fn_problem_volume_in_use, hint: m.fn_problem_volume_in_use_hint },
	volume_busy: { title: m.fn_problem_volume_busy, hint: m.fn_problem_volume_busy_hint },
	volume_unavailable: { title: m.fn_problem_volume_unavailable, hint: m.fn_problem_volume_unavailable_hint },
	not_a_file: { title: m.fn_problem_not_a_file, hint: m.fn_problem_not_a_file_hint },
	is_a_folder: { title: m.fn_problem_folder, hint: m.fn_problem_folder_hint },
	// What a function answers when it is tried, in the place of an answer of OpenAI's protocol.
	function_status: { title: m.fn_problem_status, facts: true },
	function_cut_off: { title: m.fn_problem_cut_off, hint: m.fn_problem_protocol_hint },
	function_protocol: { title: m.fn_problem_protocol, hint: m.fn_problem_protocol_hint, facts: true },
	internal: { title: m.problem_internal_title, hint: m.problem_internal_hint }
};

/** An answer that is not the server's own: something between the browser and it, most often a proxy, gave it. */
function between(code: string): Known | undefined {
	const status = /^http_(\d+)$/.exec(code)?.[1];
	return status
		? { title: () => m.problem_between_title({ status }), hint: m.problem_between_hint }
		: undefined;
}

/** Errors of programs begin small. */
function sentence(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What happened, the server's own words where they say more, and what to do next. */
export function problemWords(problem: ProblemLike): ProblemWords {
	const words = known[problem.code] ?? between(problem.code);
	// The title of an unknown problem is only its status in words; what the server says about it tells more.
	const title = words?.title() ?? (problem.detail || problem.title || m.problem_unknown_title());
	const more = !words || words.facts;
	const detail = more && problem.detail && problem.detail !== title ? sentence(problem.detail) : '';
	return { title, detail, hint: problem.hint === '' ? '' : (words?.hint?.() ?? problem.hint ?? '') };
}
