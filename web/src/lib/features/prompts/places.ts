// The places of a prompt that are filled in: `{{name}}` in its text.
import type { PromptProfile, PromptVariable } from '$lib/api';

/** What is taken for a number. */
export const NUMBER = '-?[0-9]*[.]?[0-9]+';
const PLACE = /\{\{\s*([\p{L}\p{N} _-]{1,40}?)\s*\}\}/gu;

/** The names of the places, each once, in the order of the text. */
export function placesIn(text: string): string[] {
	return [...new Set(Array.from(text.matchAll(PLACE), ([, name]) => name as string))];
}

/** How each place of a text is filled in: as it was said, or by a line of text. */
export function variablesOf({
	text,
	variables = []
}: Pick<PromptProfile, 'text' | 'variables'>): PromptVariable[] {
	return placesIn(text).map(
		(name) =>
			variables.find((variable) => variable.name === name) ?? { name, kind: 'text', default: '', options: [] }
	);
}

/** The text with what was filled in. What was left empty leaves nothing. */
export function filledIn(text: string, values: Readonly<Record<string, string>>): string {
	return text.replace(PLACE, (whole, name: string) => values[name] ?? whole);
}
