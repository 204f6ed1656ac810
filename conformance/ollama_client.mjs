// The official JavaScript client of Ollama against Stoa's listener: `node ollama_client.mjs URL KEY MODEL FILE`. Ends with 0
// when everything was as it should be.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// It is installed with the packages of the web application.
const require = createRequire(new URL('../web/package.json', import.meta.url));
const { Ollama } = await import(pathToFileURL(require.resolve('ollama')).href);

const [host, key, model, file] = process.argv.slice(2);
const client = new Ollama({ host });
const manager = new Ollama({ host, headers: { Authorization: `Bearer ${key}` } });
const options = { temperature: 0, num_predict: 16 };
const messages = [{ role: 'user', content: 'What is 2+2?' }];

const { models } = await client.list();
assert(models.some(({ name }) => name === model));
assert.equal((await client.show({ model })).details.family, 'llama');

const whole = await client.chat({ model, messages, options });
assert.match(whole.message.content, /4/);
let streamed = '';
for await (const part of await client.chat({ model, messages, options, stream: true })) streamed += part.message.content;
assert.equal(streamed, whole.message.content);

const format = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false };
const formed = await client.generate({ model, prompt: 'A number, please.', format, options });
assert.equal(typeof JSON.parse(formed.response).n, 'number');
assert.equal((await client.ps()).models[0].name, model);

const { embeddings } = await client.embed({ model, input: ['one', 'two'] });
assert.equal(embeddings.length, 2);

await assert.rejects(client.delete({ model }), { status_code: 401 });
await assert.rejects(client.chat({ model: 'none', messages }), { status_code: 404 });

const digest = `sha256:${createHash('sha256').update(await readFile(file)).digest('hex')}`;
assert.equal((await fetch(`${host}/api/blobs/${digest}`, { method: 'HEAD', headers: { Authorization: `Bearer ${key}` } })).status, 200);
const made = [];
for await (const { status } of await manager.create({ model: 'script', files: { 'model.gguf': digest }, system: 'Be brief.', stream: true })) {
	made.push(status);
}
assert.equal(made.at(-1), 'success');
await manager.copy({ source: 'script', destination: 'script:two' });
assert((await client.generate({ model: 'script:two', prompt: 'Hi', options })).response);
for (const name of ['script', 'script:two']) await manager.delete({ model: name });

// The client gives up a stream that is no longer wanted, and the server goes on with others.
const long = await client.generate({ model, prompt: 'Tell a long story.', stream: true });
await assert.rejects(async () => {
	for await (const part of long) if (part.response) long.abort();
}, { name: 'AbortError' });
assert.match((await client.chat({ model, messages, options })).message.content, /4/);
