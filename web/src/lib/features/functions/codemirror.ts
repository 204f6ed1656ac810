// The code editor. It lives in a shadow tree: there it adopts its style sheets, where in the page it would have to write
// `<style>` elements, which the page's policy refuses.
import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import {
	drawSelection,
	EditorView,
	highlightActiveLine,
	highlightActiveLineGutter,
	highlightSpecialChars,
	keymap,
	lineNumbers
} from '@codemirror/view';
import { grammarExtension } from './grammars';
import { editorPhrases, editorTheme } from './codemirror-theme';
import { grammarOf } from './tree';

export interface CodeView {
	/** Shows a file. What was done in it before can still be undone. */
	show(path: string, text: string): Promise<void>;
	focus(): void;
	destroy(): void;
}

interface Options {
	label: string;
	/** Which keys are of use, for those who do not see it said. */
	keys: string;
	onchange: (path: string, text: string) => void;
	onsave: () => void;
}

/** A shadow tree of the host, which is made once. */
export function shadowOf(host: HTMLElement): ShadowRoot {
	return host.shadowRoot ?? host.attachShadow({ mode: 'open' });
}

/** How lines end stays as it was. */
export const separatorOf = (text: string): Extension =>
	text.includes('\r\n') ? EditorState.lineSeparator.of('\r\n') : [];

export function mountEditor(host: HTMLElement, { label, keys, onchange, onsave }: Options): CodeView {
	const root = shadowOf(host);
	const states = new Map<string, EditorState>();
	let shown: string | null = null;
	let round = 0;
	const common = [
		lineNumbers(),
		highlightActiveLineGutter(),
		highlightActiveLine(),
		highlightSpecialChars(),
		highlightSelectionMatches(),
		history(),
		foldGutter(),
		drawSelection(),
		indentOnInput(),
		bracketMatching(),
		closeBrackets(),
		search({ top: true }),
		keymap.of([
			{
				key: 'Mod-s',
				preventDefault: true,
				run: () => {
					onsave();
					return true;
				}
			},
			...closeBracketsKeymap,
			...defaultKeymap,
			...searchKeymap,
			...historyKeymap,
			...foldKeymap,
			indentWithTab
		]),
		EditorView.contentAttributes.of({ 'aria-label': label, 'aria-description': keys, tabindex: '0' }),
		EditorView.updateListener.of(({ docChanged, state }) => {
			if (docChanged && shown !== null) onchange(shown, state.sliceDoc());
		}),
		editorTheme(),
		editorPhrases()
	];
	const view = new EditorView({ root, parent: root, state: EditorState.create({ extensions: common }) });

	return {
		async show(path, text) {
			const mine = ++round;
			if (shown === path && view.state.sliceDoc() === text) return;
			const grammar = await grammarExtension(grammarOf(path));
			// Something else is to be shown by now.
			if (mine !== round) return;
			if (shown !== null && shown !== path) states.set(shown, view.state);
			const known = states.get(path);
			shown = path;
			const unit = indentUnit.of(grammarOf(path) === 'python' ? '    ' : '  ');
			view.setState(
				known?.sliceDoc() === text
					? known
					: EditorState.create({ doc: text, extensions: [common, grammar, unit, separatorOf(text)] })
			);
		},
		focus: () => view.focus(),
		destroy: () => view.destroy()
	};
}
