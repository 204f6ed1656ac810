import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemWords } from './problem-text';

/** Where the server makes its codes: beside a status, in the two short forms, and in the matches that give errors a code. */
const FORMS = [
	/Problem::new\(\s*[\w:]+,\s*"([a-z_]+)"/g,
	/Self::new\(\s*StatusCode::\w+,\s*"([a-z_]+)"/g,
	/(?:bad_request|conflict)\(\s*"([a-z_]+)"/g,
	/\bcode: "([a-z_]+)"/g,
	/\bnew\(\s*"([a-z_]+)"/g
];
const MATCHES = [/=> \{?\s*"([a-z_]+)"/g];

function codesOf(path: string, forms: RegExp[]): string[] {
	const text = readFileSync(path, 'utf8');
	return forms.flatMap((form) => [...text.matchAll(form)].map(([, code]) => code ?? ''));
}

/** Every code that the server can send, read from its sources. */
function serverCodes(): string[] {
	const sources = ['../crates/server/src', '../crates/chat/src'].flatMap((folder) =>
		readdirSync(folder, { recursive: true, encoding: 'utf8' })
			.filter((name) => name.endsWith('.rs'))
			.map((name) => join(folder, name))
	);
	const [, completion = ''] = readFileSync('../crates/model/src/completion.rs', 'utf8').split('fn code(');
	const failures = [...(completion.split('\n    }\n')[0] ?? '').matchAll(/=> "([a-z_]+)"/g)];
	const found = [
		...sources.flatMap((path) => codesOf(path, FORMS)),
		...codesOf('../crates/server/src/problem.rs', MATCHES),
		...codesOf('../crates/model-store/src/registry/error.rs', MATCHES),
		...failures.map(([, code]) => code ?? '')
	];
	return [...new Set(found)].sort();
}

describe('a problem in words', () => {
	it('has words for every code of the server', () => {
		const codes = serverCodes();
		for (const code of [
			'not_found',
			'slug_taken',
			'answer_too_long',
			'provider_refused',
			'too_many_models',
			'registry_sign_in',
			'search_unreachable'
		]) {
			expect(codes, 'the way the codes are found').toContain(code);
		}
		expect(codes.length).toBeGreaterThan(38);
		const without = codes.filter((code) => {
			const { title, hint } = problemWords({ code });
			return title === 'The request failed' || hint === '';
		});
		expect(without).toEqual([]);
	});

	it('has its own title and hint when the code is known, and keeps what only the server can say', () => {
		const words = problemWords({
			code: 'provider_refused',
			title: 'Bad Gateway',
			detail: 'the provider answered 401: Incorrect API key'
		});
		expect(words.title).toBe('The provider refused the request');
		expect(words.detail).toBe('The provider answered 401: Incorrect API key');
		expect(words.hint).not.toBe('');
	});

	it('does not say again in English what its own words say', () => {
		const words = problemWords({
			code: 'slug_taken',
			title: 'Conflict',
			detail: 'This slug is in use already.'
		});
		expect(words.title).toBe('Another provider has this slug');
		expect(words.detail).toBe('');
	});

	it('shows what the server said when the code is new', () => {
		const words = problemWords({
			code: 'kitchen_closed',
			title: 'Insufficient Storage',
			detail: 'No space left.',
			hint: 'Free some space.'
		});
		expect(words).toEqual({ title: 'No space left.', detail: '', hint: 'Free some space.' });
	});

	it('tells an answer of a proxy from one of the server', () => {
		expect(problemWords({ code: 'http_502', title: 'Bad Gateway' }).title).toContain('502');
	});

	it('says something even when nothing is known, and nothing twice', () => {
		expect(problemWords({ code: 'unknown' }).title).toBe('The request failed');
		expect(problemWords({ code: 'x', title: 'Same', detail: 'Same' }).detail).toBe('');
	});
});
