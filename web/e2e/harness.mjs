// Starts the real server, the mock provider and a real browser, and gives the tests what they share.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const server = process.env.STOA_BIN ?? join(root, 'target/debug/stoa');
const mockProgram = process.env.MOCK_OPENAI_BIN ?? join(root, 'target/debug/mock-openai');
const browserProgram = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
export const pictures = fileURLToPath(new URL('output/', import.meta.url));
export const modelFile = process.env.STOA_TEST_MODEL;
export const localModel = 'local/smollm2:135m';
export const owner = { name: 'Olive Owner', email: 'owner@example.com', password: 'a long walk by the sea' };

export const views = {
	'1440 px, light': { viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
	'1440 px, dark': { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
	'390 px, light': {
		viewport: { width: 390, height: 844 },
		colorScheme: 'light',
		isMobile: true,
		hasTouch: true
	},
	'390 px, dark': {
		viewport: { width: 390, height: 844 },
		colorScheme: 'dark',
		isMobile: true,
		hasTouch: true
	}
};

async function freePort() {
	const listener = createServer();
	await new Promise((done) => listener.listen(0, '127.0.0.1', done));
	const { port } = listener.address();
	await new Promise((done) => listener.close(done));
	return port;
}

function finished(child) {
	return child.exitCode !== null || child.signalCode !== null
		? Promise.resolve()
		: new Promise((done) => child.once('exit', done));
}

async function run(program, args, env) {
	const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	child.stdout.on('data', (text) => (said += text));
	child.stderr.on('data', (text) => (said += text));
	await finished(child);
	if (child.exitCode !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${said}`);
}

/** The server under test: it can be stopped, killed and started again on the same data and port. */
class Server {
	log = '';
	#child = null;

	constructor(folder, port, indexPort) {
		this.origin = `http://127.0.0.1:${port}`;
		/** Where it looks for packages of Python: nothing is there unless a test starts it. */
		this.indexPort = indexPort;
		this.env = {
			PATH: process.env.PATH,
			HOME: folder,
			STOA_DATA_DIR: join(folder, 'data'),
			STOA_LISTEN: `127.0.0.1:${port}`,
			STOA_OLLAMA_LISTEN: 'off',
			STOA_DRAIN_SECONDS: '1',
			// Nothing listens there, and nobody has allowed it: no test asks the internet.
			STOA_MODEL_SEARCH_URL: 'http://127.0.0.1:9',
			STOA_FUNCTION_PRICE_CPU_SECOND: '0.000024',
			STOA_PIP_INDEX: `http://127.0.0.1:${indexPort}/simple`,
			STOA_LOG: process.env.STOA_LOG ?? 'warn'
		};
	}

	async start() {
		this.#child = spawn(server, ['serve'], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
		const child = this.#child;
		child.stdout.on('data', (text) => (this.log += text));
		child.stderr.on('data', (text) => (this.log += text));
		await until('the server to be ready', 60_000, async () => {
			if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.log}`);
			try {
				return (await fetch(`${this.origin}/health/ready`)).ok;
			} catch {
				return false;
			}
		});
	}

	async end(signal = 'SIGTERM') {
		const child = this.#child;
		this.#child = null;
		if (!child) return;
		child.kill(signal);
		await finished(child);
	}

	import(file, name) {
		return run(server, ['model', 'import', file, '--name', name], this.env);
	}
}

/** Waits for something to become true, asking often. */
export async function until(what, limit, ask) {
	const begun = Date.now();
	for (;;) {
		const answer = await ask();
		if (answer) return answer;
		if (Date.now() - begun > limit) throw new Error(`waited ${limit} ms for ${what}`);
		await new Promise((done) => setTimeout(done, 50));
	}
}

/** A machine of its own that runs the model and speaks Ollama's protocol; `close` ends it. */
export async function startOllama() {
	const folder = mkdtempSync(join(tmpdir(), 'stoa-e2e-ollama-'));
	const machine = new Server(folder, await freePort(), await freePort());
	const authority = `127.0.0.1:${await freePort()}`;
	machine.env.STOA_OLLAMA_LISTEN = authority;
	await machine.import(modelFile, 'smollm2:135m');
	await machine.start();
	const close = async () => {
		await machine.end();
		rmSync(folder, { recursive: true, force: true });
	};
	return { authority, close };
}

export async function startAll() {
	mkdirSync(pictures, { recursive: true });
	const folder = mkdtempSync(join(tmpdir(), 'stoa-e2e-'));
	const stoa = new Server(folder, await freePort(), await freePort());
	if (modelFile) await stoa.import(modelFile, 'smollm2:135m');
	await stoa.start();
	const mock = spawn(mockProgram, ['--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const mockOrigin = await new Promise((done) =>
		mock.stdout.once('data', (line) => done(String(line).trim()))
	);
	const browser = await chromium.launch({
		executablePath: browserProgram,
		args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
	});
	return {
		stoa,
		mockOrigin,
		browser,
		async close() {
			await browser.close();
			mock.kill();
			await stoa.end();
			rmSync(folder, { recursive: true, force: true });
		}
	};
}
