// An agent of a few lines, as somebody would write one.
import { createServer } from 'node:http';

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/**
 * Any key will do, it lists no models and always says the same. `origin`, when given, may read it from a browser. What it is
 * asked may begin with `[slow]`, `[fail]` or `[say]`, behind which
 * stands what it answers. It has a title for a conversation that begins with `Name yourself`.
 */
export async function startAgent({ origin = null, models = [] } = {}) {
	const asked = [];
	const server = createServer(async (request, response) => {
		if (origin) {
			response.setHeader('access-control-allow-origin', origin);
			response.setHeader('access-control-allow-headers', 'authorization, content-type');
		}
		if (request.method === 'OPTIONS') {
			response.writeHead(204).end();
			return;
		}
		if (models.length > 0 && request.method === 'GET' && request.url === '/v1/models') {
			response.writeHead(200, { 'content-type': 'application/json' });
			response.end(JSON.stringify({ object: 'list', data: models.map((id) => ({ id })) }));
			return;
		}
		if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
			response.writeHead(404).end();
			return;
		}
		let body = '';
		for await (const piece of request) body += piece;
		const { model, messages, stream } = JSON.parse(body);
		const said = messages.at(-1).content;
		asked.push({
			authorization: request.headers.authorization,
			messages,
			userAgent: request.headers['user-agent']
		});
		if (said.startsWith('[fail]')) {
			response.writeHead(503, { 'content-type': 'application/json' });
			response.end(JSON.stringify({ error: { message: 'the agent is asleep' } }));
			return;
		}
		const named = said.includes('Name yourself') && said.includes('Write a title');
		if (said.startsWith('[say]')) {
			response.writeHead(200, { 'content-type': 'text/event-stream' });
			for (const content of said.slice(5).match(/[^]{1,23}/g)) {
				response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
				await pause(10);
			}
			response.end(
				`data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`
			);
			return;
		}
		const words = said.startsWith('[slow]')
			? Array.from({ length: 200 }, (_, place) => `${place + 1} `).join('')
			: named
				? 'An agent with a name'
				: `I am ${model}. You said: ${said}`;
		if (!stream) {
			response.writeHead(200, { 'content-type': 'application/json' });
			const message = { role: 'assistant', content: words };
			response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }));
			return;
		}
		response.writeHead(200, { 'content-type': 'text/event-stream' });
		for (const content of words.match(/\S+\s*/g)) {
			if (response.destroyed) return;
			response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
			if (said.startsWith('[slow]')) await pause(50);
		}
		const usage = { prompt_tokens: 12, completion_tokens: 34 };
		const last = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage };
		response.end(`data: ${JSON.stringify(last)}\n\ndata: [DONE]\n\n`);
	});
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	return {
		authority: `127.0.0.1:${server.address().port}`,
		asked,
		close: () => {
			server.closeAllConnections();
			server.close();
		}
	};
}
