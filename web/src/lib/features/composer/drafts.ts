const prefix = 'stoa-draft:';
/** A new conversation has no id yet. */
export const NEW = 'new';

/** What was typed and not sent, by conversation. It outlives a reload and the browser. */
export const drafts = {
	read(conversation: string): string {
		try {
			return localStorage.getItem(prefix + conversation) ?? '';
		} catch {
			return '';
		}
	},
	write(conversation: string, text: string): void {
		try {
			if (text.trim() === '') localStorage.removeItem(prefix + conversation);
			else localStorage.setItem(prefix + conversation, text);
		} catch {
			// A full or forbidden storage only costs the draft after a reload; the text stays in the field.
		}
	}
};
