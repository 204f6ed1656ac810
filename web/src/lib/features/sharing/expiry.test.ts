import { expect, it } from 'vitest';
import { endOf, isOver } from './expiry';

const now = Date.UTC(2026, 0, 1);

it('ends so many days from now, or never', () => {
	expect(endOf('7', now)).toBe('2026-01-08T00:00:00.000Z');
	expect(endOf('never', now)).toBeNull();
});

it('is over from its end on', () => {
	expect(isOver(null, now)).toBe(false);
	expect(isOver(endOf('1', now), now)).toBe(false);
	expect(isOver(endOf('1', now), now + 86_400_000)).toBe(true);
});
