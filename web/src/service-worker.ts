/// <reference types="@sveltejs/kit" />
/// <reference no-default-lib="true"/>
/// <reference lib="esnext" />
/// <reference lib="webworker" />
/**
 * Makes the application start without a network: its page and its files are kept, and nothing else. What the server answers
 * about anybody is never kept here, so that nothing private is left in a browser after signing out.
 */
import { version } from '$service-worker';

const worker = globalThis as unknown as ServiceWorkerGlobalScope;
const KEPT = `stoa-${version}`;
const PAGE = '/';
/** Files whose name has a hash of their content. */
const HASHED = '/assets/immutable/';
/** Addresses that are the server's own, where a page is not meant. */
const SERVER = /^\/(?:api|v1|fn|frame|health|metrics)(?:\/|$)/;

worker.addEventListener('install', (event) => {
	event.waitUntil(keepPage().then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (event) => {
	event.waitUntil(forgetOthers().then(() => worker.clients.claim()));
});

worker.addEventListener('fetch', (event) => {
	const { request } = event;
	const url = new URL(request.url);
	if (request.method !== 'GET' || url.origin !== worker.location.origin) return;
	if (url.pathname.startsWith(HASHED)) event.respondWith(hashed(request));
	else if (request.mode === 'navigate' && !SERVER.test(url.pathname)) event.respondWith(page(request));
});

async function keepPage(): Promise<void> {
	const kept = await caches.open(KEPT);
	await kept.add(new Request(PAGE, { cache: 'reload' }));
}

async function forgetOthers(): Promise<void> {
	const others = (await caches.keys()).filter((name) => name.startsWith('stoa-') && name !== KEPT);
	await Promise.all(others.map((name) => caches.delete(name)));
}

/** As kept, since it never changes; kept when it comes. */
async function hashed(request: Request): Promise<Response> {
	const kept = await caches.open(KEPT);
	const known = await kept.match(request);
	if (known) return known;
	const fresh = await worker.fetch(request);
	if (fresh.ok) await kept.put(request, fresh.clone());
	return fresh;
}

/** From the server as long as it answers, so that a new release is seen at once. */
async function page(request: Request): Promise<Response> {
	try {
		return await worker.fetch(request);
	} catch (unreachable) {
		const kept = await (await caches.open(KEPT)).match(PAGE);
		if (kept) return kept;
		throw unreachable;
	}
}
