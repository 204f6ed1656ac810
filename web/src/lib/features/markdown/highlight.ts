import type { HighlightAnswer, HighlightRequest, Piece } from './highlight.worker';

/** Other names for the grammars that can be loaded. */
const names: Record<string, string> = {
	'c#': 'csharp',
	'c++': 'cpp',
	cjs: 'javascript',
	console: 'bash',
	cs: 'csharp',
	dockerfile: 'docker',
	ex: 'elixir',
	golang: 'go',
	h: 'c',
	hpp: 'cpp',
	hs: 'haskell',
	htm: 'html',
	js: 'javascript',
	jsonc: 'json',
	kt: 'kotlin',
	makefile: 'make',
	md: 'markdown',
	mjs: 'javascript',
	patch: 'diff',
	pl: 'perl',
	ps1: 'powershell',
	protobuf: 'proto',
	py: 'python',
	python3: 'python',
	rb: 'ruby',
	rs: 'rust',
	sh: 'bash',
	shell: 'bash',
	svg: 'xml',
	terraform: 'hcl',
	tex: 'latex',
	tf: 'hcl',
	ts: 'typescript',
	yml: 'yaml',
	zsh: 'bash'
};
const plain = new Set(['', 'text', 'txt', 'plain', 'plaintext', 'output', 'log']);

/** Colouring is for reading; code longer than this is read by a machine. */
const LONGEST = 60_000;
const CACHED = 300;

const cache = new Map<string, Piece[][] | null>();
const waiting = new Map<number, (lines: Piece[][] | null) => void>();
let worker: Worker | null = null;
let last = 0;

function start(): Worker {
	const created = new Worker(new URL('./highlight.worker.ts', import.meta.url), { type: 'module' });
	created.addEventListener('message', ({ data }: MessageEvent<HighlightAnswer>) => {
		waiting.get(data.id)?.(data.lines);
		waiting.delete(data.id);
	});
	return created;
}

function draw(code: HTMLElement, lines: Piece[][]): void {
	const fragment = document.createDocumentFragment();
	lines.forEach((line, index) => {
		if (index > 0) fragment.append('\n');
		for (const [text, kind] of line) {
			if (!kind) {
				fragment.append(text);
				continue;
			}
			const piece = document.createElement('span');
			piece.className = `token-${kind}`;
			piece.textContent = text;
			fragment.append(piece);
		}
	});
	code.replaceChildren(fragment);
}

/** Colours a finished code block: at once when it was seen before, else when the worker has answered. */
export function highlight(code: HTMLElement, language: string): void {
	const text = (code.textContent ?? '').replace(/\n$/, '');
	const name = names[language.toLowerCase()] ?? language.toLowerCase();
	if (plain.has(name) || text.length > LONGEST) return;
	const key = `${name}\0${text}`;
	const known = cache.get(key);
	if (known) draw(code, known);
	if (known !== undefined) return;
	const request: HighlightRequest = { id: ++last, language: name, code: text };
	waiting.set(request.id, (lines) => {
		cache.set(key, lines);
		if (cache.size > CACHED) cache.delete(cache.keys().next().value ?? '');
		if (lines && code.isConnected && (code.textContent ?? '').replace(/\n$/, '') === text) draw(code, lines);
	});
	// The text is drawn first.
	setTimeout(() => (worker ??= start()).postMessage(request));
}
