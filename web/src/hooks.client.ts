import { Problem } from '$lib/api';
import type { HandleClientError } from '@sveltejs/kit';

/** Gives the error page what the server said, instead of a bare "Internal Error". */
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (status === 404) return { message, code: 'not_found' };
	const problem = Problem.from(error);
	return {
		message: problem.detail || problem.title || message,
		code: problem.code,
		hint: problem.hint,
		requestId: problem.requestId
	};
};
