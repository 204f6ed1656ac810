// The editor in Stoa's colours: custom properties reach into its shadow tree, so it follows the theme by itself.
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { m } from '$lib/i18n';

const look = EditorView.theme({
	'&': { height: '100%', color: 'var(--ink)', backgroundColor: 'var(--surface)', fontSize: 'var(--t-s)' },
	'&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
	'.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', scrollbarWidth: 'thin' },
	'.cm-content': { caretColor: 'var(--ink)', padding: '8px 0' },
	'.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--ink)' },
	'&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection':
		{ backgroundColor: 'color-mix(in srgb, var(--accent) 24%, transparent)' },
	'.cm-gutters': { color: 'var(--ink-3)', backgroundColor: 'var(--surface)', border: 'none' },
	'.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--ink) 4%, transparent)' },
	'.cm-activeLineGutter': {
		color: 'var(--ink)',
		backgroundColor: 'color-mix(in srgb, var(--ink) 4%, transparent)'
	},
	'.cm-selectionMatch': { backgroundColor: 'color-mix(in srgb, var(--accent) 14%, transparent)' },
	'&.cm-focused .cm-matchingBracket': {
		backgroundColor: 'var(--accent-soft)',
		outline: '1px solid var(--line-strong)'
	},
	'&.cm-focused .cm-nonmatchingBracket': { color: 'var(--bad)' },
	'.cm-foldPlaceholder': {
		color: 'var(--ink-2)',
		backgroundColor: 'var(--hover)',
		border: 'none',
		padding: '0 6px'
	},
	'.cm-searchMatch': { backgroundColor: 'color-mix(in srgb, var(--warn) 30%, transparent)' },
	'.cm-searchMatch-selected': { outline: '1px solid var(--warn)' },
	'.cm-panels': { color: 'var(--ink)', backgroundColor: 'var(--panel)', fontFamily: 'var(--font)' },
	'.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--line)' },
	'.cm-panel.cm-search': { padding: '6px 36px 6px 8px' },
	'.cm-panel.cm-search [name=close]': { color: 'var(--ink-2)', fontSize: '18px', right: '8px', top: '6px' },
	'.cm-panel.cm-search label': { fontSize: 'var(--t-xs)' },
	'.cm-textfield': {
		color: 'var(--ink)',
		backgroundColor: 'var(--surface)',
		border: '1px solid var(--line-strong)',
		borderRadius: 'var(--r1)',
		fontSize: 'var(--t-s)',
		padding: '3px 8px'
	},
	'.cm-button': {
		color: 'var(--ink)',
		background: 'var(--surface)',
		border: '1px solid var(--line-strong)',
		borderRadius: 'var(--r1)',
		fontSize: 'var(--t-xs)',
		padding: '3px 8px'
	},
	'.cm-changedLine': { backgroundColor: 'color-mix(in srgb, var(--good) 13%, transparent) !important' },
	'.cm-changedText, .cm-insertedLine .cm-changedText': {
		background: 'color-mix(in srgb, var(--good) 26%, transparent) !important'
	},
	'.cm-deletedChunk': { backgroundColor: 'color-mix(in srgb, var(--bad) 12%, transparent) !important' },
	'.cm-deletedChunk .cm-deletedText': {
		background: 'color-mix(in srgb, var(--bad) 26%, transparent) !important'
	},
	'.cm-changeGutter': { width: '3px', paddingLeft: '0' },
	'.cm-changedLineGutter': { background: 'var(--good) !important' },
	'.cm-deletedLineGutter': { background: 'var(--bad) !important' },
	// Its own signs are in few fonts.
	'.cm-collapsedLines:before, .cm-collapsedLines:after': { content: '"⋯" !important' },
	'.cm-collapsedLines': {
		color: 'var(--ink-2)',
		background: 'var(--panel)',
		fontFamily: 'var(--font)',
		fontSize: 'var(--t-xs)'
	}
});

const colours = HighlightStyle.define([
	{
		tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.self, tags.null, tags.bool],
		color: 'var(--accent)'
	},
	{ tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--good)' },
	{ tag: [tags.number, tags.escape, tags.atom], color: 'var(--warn)' },
	{ tag: [tags.comment, tags.meta], color: 'var(--ink-3)', fontStyle: 'italic' },
	{
		tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)],
		fontWeight: '600'
	},
	{ tag: [tags.propertyName], color: 'var(--ink)' },
	{ tag: [tags.punctuation, tags.operator], color: 'var(--ink-2)' },
	{ tag: tags.heading, fontWeight: '600' },
	{ tag: tags.emphasis, fontStyle: 'italic' },
	{ tag: tags.strong, fontWeight: '600' },
	{ tag: [tags.link, tags.url], color: 'var(--accent)' },
	{ tag: tags.invalid, color: 'var(--bad)' }
]);

/** The frame alone: on the grounds of a comparison, coloured words could not be read. */
export const editorLook = (): Extension => look;
export const editorTheme = (): Extension => [look, syntaxHighlighting(colours)];

/** What the editor itself says, in the page's language. */
export const editorPhrases = (): Extension =>
	EditorState.phrases.of({
		Find: m.fn_find(),
		Replace: m.fn_find_replacement(),
		next: m.fn_find_next(),
		previous: m.fn_find_previous(),
		all: m.fn_find_all(),
		'match case': m.fn_find_case(),
		'by word': m.fn_find_word(),
		regexp: m.fn_find_regexp(),
		replace: m.fn_find_replace(),
		'replace all': m.fn_find_replace_all(),
		close: m.ui_close(),
		'$ unchanged lines': m.fn_diff_unchanged({ count: '$' }),
		'Fold line': m.fn_fold(),
		'Unfold line': m.fn_unfold(),
		'folded code': m.fn_folded(),
		unfold: m.fn_unfold()
	});
