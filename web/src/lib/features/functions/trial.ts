// A call to a function from its own page, which goes past its doors. What it answers is its own affair: no status of it is ours.
import { client, Problem } from '$lib/api';

export interface TrialRequest {
	/** `latest`, an alias, or the number of a version. */
	target: string;
	method: string;
	path: string;
	headers: [string, string][];
	body: string;
}

export interface TrialHead {
	status: number;
	headers: [string, string][];
	version: string;
	instance: string | null;
	/** Milliseconds, when an instance had to be started for it. */
	coldStart: number | null;
	/** From the request to the head of the answer, in milliseconds. */
	firstMs: number;
}

export interface TrialAnswer {
	head: TrialHead;
	/** With the function's own content type, and a body that is read as it comes. */
	response: Response;
}

/** Why Stoa could not have it answered; `log` is the end of what the function said. */
export class TrialProblem extends Problem {
	readonly log: string;

	constructor(body: unknown, response: Response) {
		const { title, detail, code, hint, requestId } = Problem.fromAnswer(body, response);
		// The owner is told the reason as a hint, which says more than our words for the code.
		const reason = hint ?? detail;
		super({ title, detail: reason, code, ...(requestId ? { request_id: requestId } : {}) }, response.status);
		this.log = logOf(body);
	}
}

function logOf(body: unknown): string {
	const log: unknown = body && typeof body === 'object' && 'log' in body ? body.log : '';
	if (typeof log === 'string') return log;
	return Array.isArray(log) ? log.filter((line) => typeof line === 'string').join('\n') : '';
}

/** Stands in front of the status that the function gave, which the client would take for one of Stoa's. */
const STATUS = 'x-function-status';
const own = {
	onResponse({ response }: { response: Response }) {
		if (!response.headers.has('x-stoa-version')) return undefined;
		const headers = new Headers(response.headers);
		headers.set(STATUS, String(response.status));
		// An empty body is one, too.
		headers.delete('content-length');
		return new Response(response.body ?? '', { status: 200, headers });
	}
};

export async function tryFunction(id: string, body: TrialRequest, signal: AbortSignal): Promise<TrialAnswer> {
	const begun = performance.now();
	const { error, response } = await client.POST('/api/v1/functions/{id}/try', {
		params: { path: { id } },
		body,
		signal,
		parseAs: 'stream',
		middleware: [own]
	});
	const status = response.headers.get(STATUS);
	if (status === null) throw new TrialProblem(error, response);
	return { head: headOf(response, Number(status), performance.now() - begun), response };
}

function headOf(response: Response, status: number, firstMs: number): TrialHead {
	const { headers } = response;
	const cold = headers.get('x-stoa-cold-start');
	return {
		status,
		headers: [...headers].filter(([name]) => name !== STATUS && !name.startsWith('x-stoa-')),
		version: headers.get('x-stoa-version') ?? '',
		instance: headers.get('x-stoa-instance'),
		coldStart: cold === null ? null : Number(cold),
		firstMs
	};
}

/** Headers as they are typed, one a line. Null where a line is none. */
export function headersOf(text: string): [string, string][] | null {
	const lines = text.split('\n').filter((line) => line.trim() !== '');
	const pairs = lines.map((line) => /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*?)\s*$/.exec(line));
	if (pairs.some((pair) => pair === null)) return null;
	return pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']);
}
