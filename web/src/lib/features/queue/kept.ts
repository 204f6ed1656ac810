const prefix = 'stoa-queue:';

/** What waits in this browser, by conversation. Without storage it waits until the page is closed. */
export const kept = {
	read(conversation: string): string | null {
		try {
			return localStorage.getItem(prefix + conversation);
		} catch {
			return null;
		}
	},
	/** False when it could not be kept. */
	write(conversation: string, value: string | null): boolean {
		try {
			if (value === null) localStorage.removeItem(prefix + conversation);
			else localStorage.setItem(prefix + conversation, value);
			return true;
		} catch {
			return false;
		}
	},
	/** The conversation whose messages these are, when a key of the storage is one of ours. */
	of: (key: string | null): string | null => (key?.startsWith(prefix) ? key.slice(prefix.length) : null),
	/** The conversations in which something waits. */
	all(): string[] {
		try {
			return Object.keys(localStorage).flatMap((key) => kept.of(key) ?? []);
		} catch {
			return [];
		}
	}
};
