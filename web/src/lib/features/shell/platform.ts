const apple = /Mac|iPhone|iPad/.test(navigator.platform);

/** The keys of a shortcut as this system writes them. */
export const keys = {
	newConversation: apple ? '⌥N' : 'Alt N',
	search: apple ? '⌘K' : 'Ctrl K'
};

export function isSearchShortcut(event: KeyboardEvent): boolean {
	return (
		event.key.toLowerCase() === 'k' &&
		(apple ? event.metaKey : event.ctrlKey) &&
		!event.altKey &&
		!event.shiftKey
	);
}

export function isNewShortcut(event: KeyboardEvent): boolean {
	// By code: with Option held, a Mac's N key writes a tilde.
	return event.code === 'KeyN' && event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
}
