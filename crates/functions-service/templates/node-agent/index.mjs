// An agent that speaks the OpenAI protocol, so that people can chat with it like with any model.
//
// `answer` is the place to change. Everything below it is the protocol.

import { createServer } from 'node:http';

const NAME = 'agent';

/** Yields the answer to a conversation, piece by piece. */
async function* answer(messages) {
	const question = textOf(messages.at(-1));
	yield 'Hello from your own agent! ';
	yield `You said: ${question}`;
}

function textOf(message) {
	const content = message?.content ?? '';
	if (typeof content === 'string') return content;
	return content
		.filter((part) => part.type === 'text')
		.map((part) => part.text)
		.join('');
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
