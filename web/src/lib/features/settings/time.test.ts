import { expect, it } from 'vitest';
import { ago } from './time';

const now = Date.UTC(2026, 10, 23, 12);

it('says a moment as people do', () => {
	expect(ago('2026-11-23T11:59:40Z', now)).toBe('now');
	expect(ago('2026-11-23T11:57:00Z', now)).toBe('3 minutes ago');
	expect(ago('2026-11-23T07:00:00Z', now)).toBe('5 hours ago');
	expect(ago('2026-11-22T11:00:00Z', now)).toBe('yesterday');
	expect(ago('2026-12-23T11:00:00Z', now)).toBe('in 29 days');
});

it('gives the date when it is long ago', () => {
	expect(ago('2026-01-05T10:00:00Z', now)).toContain('2026');
});
