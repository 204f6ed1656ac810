// An agent that asks a model through Stoa and passes its answer on.
//
// It may call models, as its settings say: therefore the environment says where Stoa is (`STOA_URL`) and what to show there
// (`STOA_TOKEN`). OpenAI's own client finds both as well. Which model it asks, you say in `MODEL`.

import { createServer, request as ask } from 'node:http';

const NAME = 'agent';
const ROLE = 'You answer in one short paragraph, and you end with a question.';

/** Yields the answer to a conversation, piece by piece. */
async function* answer(messages) {
	const token = process.env.STOA_TOKEN;
	if (!token) {
		yield 'I may not call models yet: allow it in the settings of this function.';
		return;
	}
	const response = await post(`${process.env.STOA_URL}/v1/chat/completions`, token, {
		model: process.env.MODEL ?? 'local/smollm2:135m',
		messages: [{ role: 'system', content: ROLE }, ...messages],
		stream: true
	});
	if (response.statusCode !== 200) {
		yield `The model did not answer (${response.statusCode}): ${await bodyOf(response)}`;
		return;
	}
	let rest = '';
	for await (const bytes of response.setEncoding('utf8')) {
		const lines = (rest + bytes).split('\n');
		rest = lines.pop();
		for (const line of lines) {
			const data = line.replace(/^data: /, '').trim();
			if (!data || data === '[DONE]') continue;
			for (const choice of JSON.parse(data).choices ?? []) {
				if (choice.delta?.content) yield choice.delta.content;
			}
		}
	}
}

function post(url, token, value) {
	const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
	return new Promise((resolve, reject) => {
		ask(url, { method: 'POST', headers }, resolve).on('error', reject).end(JSON.stringify(value));
	});
}

function completion(kind, choice) {
	return {
		id: `chatcmpl-${process.hrtime.bigint()}`,
		object: kind,
		created: Math.floor(Date.now() / 1000),
		model: NAME,
		choices: [{ index: 0, ...choice }]
	};
}

async function bodyOf(request) {
	const pieces = [];
	for await (const piece of request) pieces.push(piece);
	return Buffer.concat(pieces).toString();
}

function sendJson(response, status, value) {
	response.writeHead(status, { 'content-type': 'application/json' });
	response.end(JSON.stringify(value));
}

async function complete(request, response) {
	let asked;
	try {
		asked = JSON.parse(await bodyOf(request));
	} catch {
		return sendJson(response, 400, { error: { message: 'the body is not JSON' } });
	}
	if (!Array.isArray(asked.messages)) {
		return sendJson(response, 400, { error: { message: 'a list of messages is missing' } });
	}
	if (!asked.stream) {
		let content = '';
		for await (const piece of answer(asked.messages)) content += piece;
		const message = { role: 'assistant', content };
		return sendJson(response, 200, completion('chat.completion', { message, finish_reason: 'stop' }));
	}
	response.writeHead(200, { 'content-type': 'text/event-stream' });
	const send = (choice) =>
		response.write(`data: ${JSON.stringify(completion('chat.completion.chunk', choice))}\n\n`);
	for await (const piece of answer(asked.messages)) send({ delta: { content: piece }, finish_reason: null });
	send({ delta: {}, finish_reason: 'stop' });
	response.end('data: [DONE]\n\n');
}

const server = createServer(async (request, response) => {
	console.log(request.method, request.url);
	if (request.method === 'POST' && request.url === '/v1/chat/completions') {
		await complete(request, response);
	} else if (request.url === '/v1/models') {
		const model = { id: NAME, object: 'model', owned_by: 'you' };
		sendJson(response, 200, { object: 'list', data: [model] });
	} else {
		sendJson(response, 200, { status: 'ok' });
	}
});

server.listen(Number(process.env.PORT ?? 9000), '0.0.0.0');
