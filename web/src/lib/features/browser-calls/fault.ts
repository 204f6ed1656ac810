import type { components } from '$lib/api/schema';

export type FaultKind = components['schemas']['BrowserFault'];

/** Why a call that this browser makes went wrong. */
export class CallFault extends Error {
	readonly kind: FaultKind;

	constructor(kind: FaultKind, detail = '') {
		super(detail);
		this.name = 'CallFault';
		this.kind = kind;
	}

	/** The code that the server gives the same fault. */
	get code(): string {
		const ours = ['unreachable', 'not_allowed', 'mixed_content', 'local_network', 'page_outdated'];
		return `${ours.includes(this.kind) ? 'browser' : 'provider'}_${this.kind}`;
	}
}

const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/** What a browser would not even send. */
export function refusedBeforehand(address: string, page: string): FaultKind | null {
	const url = new URL(address);
	// Pages over https may call this very machine over http, and no other (W3C Mixed Content §3.2).
	if (page === 'https:' && url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) return 'mixed_content';
	return null;
}

/** Runs a request, and finds out what stood in its way where the browser itself only says that it failed. */
export async function fetchOrExplain(address: string, init: RequestInit): Promise<Response> {
	const refused = refusedBeforehand(address, location.protocol);
	if (refused) throw new CallFault(refused);
	let outdated = false;
	const { origin } = new URL(address);
	const violated = (event: SecurityPolicyViolationEvent) => {
		if (event.effectiveDirective === 'connect-src' && event.blockedURI.startsWith(origin)) outdated = true;
	};
	document.addEventListener('securitypolicyviolation', violated);
	try {
		return await fetch(address, { ...init, credentials: 'omit', referrerPolicy: 'no-referrer' });
	} catch (caught) {
		if (init.signal?.aborted) throw caught;
		// The report of a violation comes as an event of its own.
		await new Promise((resolve) => setTimeout(resolve));
		if (outdated) throw new CallFault('page_outdated');
		throw new CallFault(await obstacle(address));
	} finally {
		document.removeEventListener('securitypolicyviolation', violated);
	}
}

async function obstacle(address: string): Promise<FaultKind> {
	if (await isLocalNetworkDenied()) return 'local_network';
	try {
		// Whatever it answers, we may not read it; that it answers is enough.
		await fetch(address, { mode: 'no-cors', credentials: 'omit', signal: AbortSignal.timeout(5_000) });
		return 'not_allowed';
	} catch {
		return 'unreachable';
	}
}

async function isLocalNetworkDenied(): Promise<boolean> {
	try {
		const name = 'local-network-access' as PermissionName;
		return (await navigator.permissions.query({ name })).state === 'denied';
	} catch {
		// A browser that does not ask for this permission.
		return false;
	}
}
