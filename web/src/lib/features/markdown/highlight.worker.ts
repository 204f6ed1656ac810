import {
	createBundledHighlighter,
	createCssVariablesTheme,
	type DynamicImportLanguageRegistration
} from 'shiki/core';
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript';
import { grammars } from './languages';

export interface HighlightRequest {
	id: number;
	language: string;
	code: string;
}

/** Lines of pieces of text, each with the kind of token it is (`keyword`, `string`, …; empty for plain). */
export type Piece = [text: string, kind: string];

export interface HighlightAnswer {
	id: number;
	lines: Piece[][] | null;
}

const theme = createCssVariablesTheme({
	name: 'stoa',
	variablePrefix: '--',
	variableDefaults: {},
	fontStyle: false
});

const create = createBundledHighlighter<string, string>({
	langs: grammars as Record<string, DynamicImportLanguageRegistration>,
	themes: {},
	engine: () => createJavaScriptRegexEngine({ forgiving: true })
});
const highlighter = create({ langs: [], themes: [theme] });

/** `var(--token-keyword)` is a keyword; `var(--foreground)` is plain text. */
function kindOf(colour: string | undefined): string {
	return /^var\(--token-([a-z-]+)\)$/.exec(colour ?? '')?.[1] ?? '';
}

addEventListener('message', async ({ data }: MessageEvent<HighlightRequest>) => {
	let lines: Piece[][] | null = null;
	try {
		const ready = await highlighter;
		await ready.loadLanguage(data.language);
		const { tokens } = ready.codeToTokens(data.code, { lang: data.language, theme: 'stoa' });
		lines = tokens.map((line) => line.map(({ content, color }): Piece => [content, kindOf(color)]));
	} catch {
		// A grammar that this browser's regular expressions cannot run leaves the code plain.
	}
	postMessage({ id: data.id, lines } satisfies HighlightAnswer);
});
