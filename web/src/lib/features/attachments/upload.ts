import { Problem, reportUnauthenticated, type StoredFile } from '$lib/api';

interface Watch {
	/** The share that has been sent, 0 to 1. */
	onprogress: (share: number) => void;
	signal: AbortSignal;
}

/** Sends a file. The client of the API cannot tell how far an upload has come, so this asks by the older way. */
export function upload(file: File, { onprogress, signal }: Watch): Promise<StoredFile> {
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
			const body: unknown = parsed(request.responseText);
			if (request.status === 201) return resolve(body as StoredFile);
			if (request.status === 401) reportUnauthenticated();
			reject(
				Problem.fromAnswer(body, new Response(null, { status: request.status, headers: waiting(request) }))
			);
		};
		request.onerror = () => {
			settled();
			reject(Problem.unreachable());
		};
		request.onabort = () => {
			settled();
			reject(new DOMException('The upload was given up.', 'AbortError'));
		};
		request.open('POST', `/api/v1/files?name=${encodeURIComponent(file.name)}`);
		request.setRequestHeader('content-type', 'application/octet-stream');
		request.send(file);
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
