// Two texts, one over the other: what is gone in red, what is new in green.
import { unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { shadowOf } from './codemirror';
import { editorPhrases, editorTheme } from './codemirror-theme';
import { grammarExtension } from './grammars';
import { grammarOf } from './tree';

export async function mountDiff(
	host: HTMLElement,
	label: string,
	path: string,
	before: string,
	after: string
): Promise<() => void> {
	const root = shadowOf(host);
	const view = new EditorView({
		root,
		parent: root,
		state: EditorState.create({
			doc: after,
			extensions: [
				lineNumbers(),
				unifiedMergeView({
					original: before,
					mergeControls: false,
					collapseUnchanged: { margin: 3, minSize: 6 }
				}),
				EditorState.readOnly.of(true),
				EditorView.contentAttributes.of({ 'aria-label': label, 'aria-readonly': 'true' }),
				await grammarExtension(grammarOf(path)),
				editorTheme(),
				editorPhrases()
			]
		})
	});
	return () => view.destroy();
}
