import type { Extension } from '@codemirror/state';
import type { Grammar } from './tree';

/** How a file is coloured and indented; each grammar comes when a file has need of it. */
export async function grammarExtension(grammar: Grammar): Promise<Extension> {
	switch (grammar) {
		case 'python':
			return (await import('@codemirror/lang-python')).python();
		case 'javascript':
			return (await import('@codemirror/lang-javascript')).javascript({ jsx: true, typescript: true });
		case 'json':
			return (await import('@codemirror/lang-json')).json();
		case 'markdown':
			return (await import('@codemirror/lang-markdown')).markdown();
		case 'plain':
			return [];
	}
}
