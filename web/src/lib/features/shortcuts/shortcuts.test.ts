import { beforeEach, describe, expect, it, vi } from 'vitest';

/** The module reads what was kept once, as a page that is opened does. */
async function opened() {
	vi.resetModules();
	return (await import('./shortcuts.svelte')).shortcuts;
}

function press(more: KeyboardEventInit, target: HTMLElement = document.body): KeyboardEvent {
	const event = new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...more });
	target.dispatchEvent(event);
	return event;
}

beforeEach(() => {
	localStorage.clear();
	document.body.replaceChildren();
});

describe('shortcuts', () => {
	it('do what the page offers, and leave all other keys alone', async () => {
		const shortcuts = await opened();
		const zen = vi.fn();
		const stop = shortcuts.offer({ zen });
		const before = press({ key: 'z', code: 'KeyZ', altKey: true });
		shortcuts.press(before);
		expect(zen).toHaveBeenCalledOnce();
		expect(before.defaultPrevented).toBe(true);
		stop();
		const after = press({ key: 'z', code: 'KeyZ', altKey: true });
		shortcuts.press(after);
		expect(zen).toHaveBeenCalledOnce();
		expect(after.defaultPrevented).toBe(false);
	});

	it('are kept, and one that is given to another is its own no more', async () => {
		const shortcuts = await opened();
		shortcuts.choose('zen', 'Alt+C');
		expect([shortcuts.of('zen'), shortcuts.of('focus')]).toEqual(['Alt+C', '']);
		const later = await opened();
		expect([later.of('zen'), later.of('focus'), later.taken('Alt+C')]).toEqual(['Alt+C', '', 'zen']);
		later.reset();
		expect([later.of('zen'), later.of('focus'), later.changed]).toEqual(['Alt+Z', 'Alt+C', false]);
	});

	it('survive whatever is in the storage', async () => {
		localStorage.setItem('stoa-keys', '{"zen": 7, "nothing": "Alt+X", "copy": "F2"}');
		const shortcuts = await opened();
		expect([shortcuts.of('zen'), shortcuts.of('copy')]).toEqual(['Alt+Z', 'F2']);
		localStorage.setItem('stoa-keys', 'null');
		expect((await opened()).of('copy')).toBe('Alt+Shift+C');
	});

	it('ask for help by a question mark, but not in a text', async () => {
		const shortcuts = await opened();
		const help = vi.fn();
		shortcuts.offer({ help });
		const field = document.body.appendChild(document.createElement('textarea'));
		shortcuts.press(press({ key: '?', shiftKey: true }, field));
		expect(help).not.toHaveBeenCalled();
		shortcuts.press(press({ key: '?', shiftKey: true }));
		expect(help).toHaveBeenCalledOnce();
	});

	it('do not reach behind a dialog, but for the palette', async () => {
		const shortcuts = await opened();
		const [zen, palette] = [vi.fn(), vi.fn()];
		shortcuts.offer({ zen, palette });
		document.body.innerHTML = '<dialog open></dialog>';
		shortcuts.press(press({ key: 'z', code: 'KeyZ', altKey: true }));
		shortcuts.press(press({ key: 'k', code: 'KeyK', ctrlKey: true }));
		expect([zen.mock.calls.length, palette.mock.calls.length]).toEqual([0, 1]);
	});
});
