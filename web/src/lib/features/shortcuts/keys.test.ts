import { describe, expect, it } from 'vitest';
import { comboOf, usable, written } from './keys';

const event = (more: Partial<Parameters<typeof comboOf>[0]>) => ({
	key: '',
	code: '',
	altKey: false,
	ctrlKey: false,
	metaKey: false,
	shiftKey: false,
	...more
});

describe('keys', () => {
	it('are the same combination on both kinds of system', () => {
		expect(comboOf(event({ key: 'k', code: 'KeyK', ctrlKey: true }), false)).toBe('Mod+K');
		expect(comboOf(event({ key: 'k', code: 'KeyK', metaKey: true }), true)).toBe('Mod+K');
		expect(comboOf(event({ key: 'k', code: 'KeyK', ctrlKey: true }), true)).toBe('Ctrl+K');
	});

	it('go by their letter, and by their place where it writes another sign', () => {
		expect(comboOf(event({ key: 'q', code: 'KeyA', ctrlKey: true }), false)).toBe('Mod+Q');
		expect(comboOf(event({ key: '˜', code: 'KeyN', altKey: true }), true)).toBe('Alt+N');
		expect(comboOf(event({ key: 'т', code: 'KeyN', altKey: true }), false)).toBe('Alt+N');
		expect(comboOf(event({ key: 'л', code: 'KeyK', ctrlKey: true }), false)).toBe('Mod+K');
	});

	it('count Shift only where it does not make the sign', () => {
		expect(comboOf(event({ key: '?', code: 'Slash', shiftKey: true }), false)).toBe('?');
		expect(comboOf(event({ key: 'C', code: 'KeyC', shiftKey: true, altKey: true }), false)).toBe(
			'Alt+Shift+C'
		);
		expect(comboOf(event({ key: 'Shift', code: 'ShiftLeft', shiftKey: true }), false)).toBeNull();
	});

	it('are written as the system does', () => {
		expect(written('Alt+Shift+C', true)).toBe('⌥⇧C');
		expect(written('Mod+K', false)).toBe('Ctrl K');
		expect(written('Mod++', false)).toBe('Ctrl +');
	});

	it('stand for something only if they are not text', () => {
		expect(['Mod+K', 'F2', 'Alt+C', 'Ctrl+X'].map(usable)).toEqual([true, true, true, true]);
		expect(['K', 'Shift+K', '?', 'Enter'].map(usable)).toEqual([false, false, false, false]);
	});
});
