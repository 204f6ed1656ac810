import { reportUnauthenticated } from './index';
import { Problem } from './problem';

interface Watch {
	/** The share that has been sent, 0 to 1. */
	onprogress: (share: number) => void;
	signal: AbortSignal;
}

/** Posts bytes. The client of the API cannot tell how far they have come, so this asks by the older way. */
export function send<T>(path: string, body: Blob, { onprogress, signal }: Watch): Promise<T> {
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();
		const settled = () => signal.removeEventListener('abort', abort);
		const abort = () => request.abort();
		signal.addEventListener('abort', abort);
		request.upload.onprogress = ({ loaded, total, lengthComputable }) => {
			if (lengthComputable && total > 0) onprogress(loaded / total);
		};
		request.onload = () => {
			settled();
			const answer: unknown = parsed(request.responseText);
			if (request.status >= 200 && request.status < 300) return resolve(answer as T);
			if (request.status === 401) reportUnauthenticated();
			const { status } = request;
			reject(Problem.fromAnswer(answer, new Response(null, { status, headers: waiting(request) })));
		};
		request.onerror = () => {
			settled();
			reject(Problem.unreachable());
		};
		request.onabort = () => {
			settled();
			reject(new DOMException('The upload was given up.', 'AbortError'));
		};
		request.open('POST', path);
		request.setRequestHeader('content-type', 'application/octet-stream');
		request.send(body);
	});
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

function waiting(request: XMLHttpRequest): Record<string, string> {
	const names = ['retry-after', 'x-request-id'];
	const found = names.map((name) => [name, request.getResponseHeader(name)] as const);
	return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[1] !== null));
}
