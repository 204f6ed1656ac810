import { describe, expect, it } from 'vitest';
import { expiresAt, isFutureDay, keyState } from './expiry';

const now = Date.UTC(2026, 10, 23, 12);

describe('expiry of an API key', () => {
	it('counts days from now, or never', () => {
		expect(expiresAt('30', '', now)).toBe('2026-12-23T12:00:00.000Z');
		expect(expiresAt('never', '', now)).toBeUndefined();
	});

	it('ends a chosen day at its last second where the reader is', () => {
		expect(expiresAt('date', '2027-01-31', now)).toBe(new Date(2027, 0, 31, 23, 59, 59).toISOString());
	});

	it('takes only real days that are not over', () => {
		expect(isFutureDay('2026-11-24', now)).toBe(true);
		expect(isFutureDay('2026-11-21', now)).toBe(false);
		expect(isFutureDay('2026-13-40', now)).toBe(false);
		expect(isFutureDay('tomorrow', now)).toBe(false);
	});

	it('warns a week ahead', () => {
		expect(keyState(null, now)).toBe('live');
		expect(keyState('2026-11-29T12:00:00Z', now)).toBe('soon');
		expect(keyState('2026-12-29T12:00:00Z', now)).toBe('live');
		expect(keyState('2026-11-23T12:00:00Z', now)).toBe('expired');
	});
});
