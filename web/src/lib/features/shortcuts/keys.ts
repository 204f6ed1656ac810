// Keys and how they are said: what is held, in one order, then what is pressed; `Mod` is Command on Apple's systems and Control elsewhere.
const apple = /Mac|iPhone|iPad/.test(navigator.platform);

type Pressed = Pick<KeyboardEvent, 'key' | 'code' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey'>;

/** What is pressed. By its place where the letter is not a Latin one, or where Option makes another sign of it. */
function keyOf({ key, code, altKey }: Pressed): string {
	if (key === ' ') return 'Space';
	if (/^[a-z]$/i.test(key)) return key.toUpperCase();
	const placed = /^(?:Key|Digit)(.)$/.exec(code)?.[1];
	return placed && (altKey || !/^[!-~]$/.test(key)) ? placed : key;
}

/** The combination of an event, such as `Mod+Shift+K`; null while only keys to hold are down. */
export function comboOf(event: Pressed, mac = apple): string | null {
	if (['Control', 'Shift', 'Alt', 'Meta', 'AltGraph', 'Dead', 'Process'].includes(event.key)) return null;
	const key = keyOf(event);
	// Shift is how a sign is made, and only with letters and named keys something of its own.
	const shift = event.shiftKey && (key.length > 1 || /[A-Z0-9]/.test(key));
	return [
		(mac ? event.metaKey : event.ctrlKey) && 'Mod',
		(mac ? event.ctrlKey : event.metaKey) && (mac ? 'Ctrl' : 'Meta'),
		event.altKey && 'Alt',
		shift && 'Shift',
		key
	]
		.filter(Boolean)
		.join('+');
}

/** As this system writes it: `⌘K`, or `Ctrl K`. */
export function written(combo: string, mac = apple): string {
	const signs: Record<string, string> = mac
		? { Mod: '⌘', Ctrl: '⌃', Alt: '⌥', Shift: '⇧', Enter: '↩', Escape: '⎋', ArrowUp: '↑', ArrowDown: '↓' }
		: { Mod: 'Ctrl', Meta: 'Win', Escape: 'Esc', ArrowUp: '↑', ArrowDown: '↓' };
	const parts = combo === '+' ? ['+'] : combo.split(/\+(?!$)/);
	return parts.map((part) => signs[part] ?? part).join(mac ? '' : ' ');
}

/** Whether a combination may stand for something: what is typed by itself is text. */
export function usable(combo: string): boolean {
	return /^F\d/.test(combo) || /^(?:Mod|Ctrl|Meta|Alt)\+/.test(combo);
}
