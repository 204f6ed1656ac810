import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as compiled from './paraglide/messages';

type Messages = Record<string, string>;

function read(locale: string): Map<string, Messages> {
	const files = readdirSync(`messages/${locale}`).sort();
	return new Map(
		files.map((file) => {
			const { $schema: _schema, ...messages } = JSON.parse(
				readFileSync(`messages/${locale}/${file}`, 'utf8')
			) as Messages;
			return [file, messages];
		})
	);
}

/** Plural forms of one language may name a value more often than those of another. */
const placeholders = (text: unknown) =>
	[...new Set([...JSON.stringify(text).matchAll(/\{(\w+)\}/g)].map(([, name]) => name))].sort();

describe('the words of the interface', () => {
	const english = read('en');
	const chinese = read('zh');

	it('are all compiled: without its plugin the compiler succeeds with none', () => {
		const keys = [...english.values()].flatMap(Object.keys);
		expect(keys.length).toBeGreaterThan(150);
		expect(new Set(keys).size).toBe(keys.length);
		for (const key of keys) expect(compiled.m, key).toHaveProperty(key);
	});

	it('are the same in both languages, file by file', () => {
		expect([...chinese.keys()]).toEqual([...english.keys()]);
		for (const [file, messages] of english) {
			expect(Object.keys(chinese.get(file) ?? {}).sort(), file).toEqual(Object.keys(messages).sort());
		}
	});

	it('take the same values in both languages', () => {
		for (const [file, messages] of english) {
			for (const [key, text] of Object.entries(messages)) {
				expect(placeholders(chinese.get(file)?.[key] ?? ''), key).toEqual(placeholders(text));
			}
		}
	});

	it('leave nothing empty', () => {
		for (const messages of [...english.values(), ...chinese.values()]) {
			for (const [key, text] of Object.entries(messages)) expect(text, key).not.toBe('');
		}
	});
});
