import type { components } from './schema';

type Details = components['schemas']['ProblemBody'];

interface FieldError {
	field: string;
	message: string;
}

/** The code of a problem that never reached the server, or whose answer was not the server's own. */
const UNREACHABLE = 'unreachable';

/** An error as the server describes it (RFC 9457), or as near as can be said when the server could not be asked. */
export class Problem extends Error {
	readonly status: number;
	readonly title: string;
	readonly detail: string;
	readonly code: string;
	readonly hint: string | null;
	readonly requestId: string | null;
	/** The `host:port` an administrator could allow, when the refusal was about an address. */
	readonly authority: string | null;
	readonly fields: readonly FieldError[];
	/** Seconds the server asks to wait (`Retry-After`), when it asks. */
	readonly retryAfter: number | null;

	constructor(details: Partial<Details>, status = details.status ?? 0, retryAfter: number | null = null) {
		super(details.detail ?? details.title ?? 'The request failed.');
		this.name = 'Problem';
		this.status = status;
		this.title = details.title ?? 'The request failed';
		this.detail = details.detail ?? '';
		this.code = details.code ?? 'unknown';
		this.hint = details.hint ?? null;
		this.requestId = details.request_id ?? null;
		this.authority = details.authority ?? null;
		this.fields = details.errors ?? [];
		this.retryAfter = retryAfter;
	}

	/** What is wrong with one field of a form, or null. */
	field(name: string): string | null {
		return this.fields.find((error) => error.field === name)?.message ?? null;
	}

	static unreachable(): Problem {
		return new Problem({ title: 'Stoa cannot be reached', detail: '', code: UNREACHABLE }, 0);
	}

	/** Makes a problem of whatever was caught, so that every error panel has the same shape to show. */
	static from(caught: unknown): Problem {
		if (caught instanceof Problem) return caught;
		if (caught instanceof TypeError) return Problem.unreachable();
		return new Problem({ detail: caught instanceof Error ? caught.message : String(caught) });
	}

	/** Reads the body of an answer that failed; a proxy's HTML page becomes a problem with only its status. */
	static fromAnswer(body: unknown, response: Response): Problem {
		const requestId = response.headers.get('x-request-id') ?? undefined;
		if (body && typeof body === 'object' && 'code' in body) {
			const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
			return new Problem(
				{ request_id: requestId, ...(body as Partial<Details>) },
				response.status,
				Number.isNaN(wait) ? null : wait
			);
		}
		return new Problem(
			{
				title: response.statusText || `HTTP ${response.status}`,
				code: `http_${response.status}`,
				request_id: requestId
			},
			response.status
		);
	}
}
