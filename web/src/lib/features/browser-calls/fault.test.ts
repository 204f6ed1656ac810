import { afterEach, expect, it, vi } from 'vitest';
import { CallFault, fetchOrExplain, refusedBeforehand } from './fault';

afterEach(() => vi.unstubAllGlobals());

it('knows beforehand what a page over https may not call', () => {
	expect(refusedBeforehand('http://192.168.1.9:8080/v1', 'https:')).toBe('mixed_content');
	for (const fine of [
		'http://127.0.0.1:1/v1',
		'http://localhost:1',
		'http://[::1]:1',
		'https://192.168.1.9'
	]) {
		expect(refusedBeforehand(fine, 'https:'), fine).toBeNull();
	}
	expect(refusedBeforehand('http://192.168.1.9:8080/v1', 'http:')).toBeNull();
});

function stub(answersAtAll: boolean, permission?: string) {
	vi.stubGlobal('location', { protocol: 'http:' });
	vi.stubGlobal('document', { addEventListener: () => undefined, removeEventListener: () => undefined });
	const query = permission
		? async () => ({ state: permission })
		: () => Promise.reject(new TypeError('unknown'));
	vi.stubGlobal('navigator', { permissions: { query } });
	vi.stubGlobal('fetch', async (_address: string, init: RequestInit) => {
		if (init.mode === 'no-cors' && answersAtAll) return new Response(null);
		throw new TypeError('Failed to fetch');
	});
}

const kindOf = (request: Promise<unknown>) =>
	request.then(
		() => 'none',
		(caught: unknown) => (caught instanceof CallFault ? caught.kind : String(caught))
	);

it('finds out what stood in the way', async () => {
	stub(true);
	expect(await kindOf(fetchOrExplain('http://127.0.0.1:1/v1', {}))).toBe('not_allowed');
	stub(false);
	expect(await kindOf(fetchOrExplain('http://127.0.0.1:1/v1', {}))).toBe('unreachable');
	stub(true, 'denied');
	expect(await kindOf(fetchOrExplain('http://127.0.0.1:1/v1', {}))).toBe('local_network');
	stub(true, 'granted');
	expect(await kindOf(fetchOrExplain('http://127.0.0.1:1/v1', {}))).toBe('not_allowed');
});

it('gives a fault the code that the server gives it', () => {
	expect(new CallFault('not_allowed').code).toBe('browser_not_allowed');
	expect(new CallFault('timed_out').code).toBe('provider_timed_out');
});
