import { describe, expect, it, vi } from 'vitest';

vi.mock('$app/navigation', () => ({ goto: vi.fn() }));
const { placeAfterSignIn, signInAddress } = await import('./session.svelte');

const after = (next: string) => placeAfterSignIn(new URLSearchParams({ next }));

describe('signing in again', () => {
	it('comes back to the place', () => {
		expect(signInAddress(new URL('https://stoa.test/c/1?a=b'))).toBe('/sign-in?next=%2Fc%2F1%3Fa%3Db');
		expect(signInAddress(new URL('https://stoa.test/'))).toBe('/sign-in');
		expect(after('/c/1?a=b')).toBe('/c/1?a=b');
	});

	it('never leads to another site', () => {
		for (const evil of [
			'//evil.example',
			'/\\evil.example',
			'https://evil.example',
			'javascript:alert(1)',
			'',
			'/sign-in?next=/'
		]) {
			expect(after(evil)).toBe('/');
		}
	});
});
