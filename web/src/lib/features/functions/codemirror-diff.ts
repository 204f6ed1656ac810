// Two texts, one over the other: what is gone in red, what is new in green.
import { unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { shadowOf } from './codemirror';
import { editorLook, editorPhrases } from './codemirror-theme';

export function mountDiff(host: HTMLElement, label: string, before: string, after: string): () => void {
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
				EditorView.contentAttributes.of({ 'aria-label': label, 'aria-readonly': 'true', tabindex: '0' }),
				editorLook(),
				editorPhrases()
			]
		})
	});
	return () => view.destroy();
}
