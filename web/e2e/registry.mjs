// A registry of models as the server pulls from it (`/v2/`), whose blobs stop half way until they are let through.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export class ModelRegistry {
	#server;
	#through;
	#opened = new Promise((done) => (this.#through = done));
	#half = 0;

	/** Serves the weights in `file` under whatever name is asked for. */
	static async start(file) {
		const registry = new ModelRegistry();
		// Not the very file that other tests have imported: nothing would be left to bring.
		const weights = Buffer.concat([readFileSync(file), Buffer.alloc(32)]);
		const config = Buffer.from(JSON.stringify({ model_format: 'gguf', model_family: 'llama' }));
		const blobs = new Map([weights, config].map((bytes) => [digestOf(bytes), bytes]));
		registry.#half = weights.length / 2;
		const layer = (mediaType, bytes) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
		const manifest = JSON.stringify({
			schemaVersion: 2,
			mediaType: MANIFEST,
			config: layer('application/vnd.docker.container.image.v1+json', config),
			layers: [layer('application/vnd.ollama.image.model', weights)]
		});
		registry.#server = createServer((request, response) => {
			const [, kind, reference] = /\/(manifests|blobs)\/([^/]+)$/.exec(request.url) ?? [];
			if (kind === 'manifests') {
				response.writeHead(200, { 'content-type': MANIFEST, 'content-length': Buffer.byteLength(manifest) });
				response.end(manifest);
			} else if (kind === 'blobs' && blobs.has(reference)) {
				void registry.#send(request, response, blobs.get(reference));
			} else {
				response.writeHead(404).end();
			}
		});
		registry.#server.listen(0, '127.0.0.1');
		await once(registry.#server, 'listening');
		registry.authority = `127.0.0.1:${registry.#server.address().port}`;
		return registry;
	}

	/** Lets everything through. */
	open() {
		this.#through();
	}

	close() {
		this.open();
		this.#server.closeAllConnections();
		this.#server.close();
	}

	async #send(request, response, bytes) {
		const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
		const [start, end] = from === undefined ? [0, bytes.length - 1] : [Number(from), Number(to)];
		const head = { 'content-type': 'application/octet-stream', 'content-length': end - start + 1 };
		if (from !== undefined) head['content-range'] = `bytes ${start}-${end}/${bytes.length}`;
		response.writeHead(from === undefined ? 200 : 206, head);
		if (start >= this.#half) await this.#opened;
		response.end(bytes.subarray(start, end + 1));
	}
}
