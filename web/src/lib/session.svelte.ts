import { goto } from '$app/navigation';
import { call, client, onUnauthenticated, Problem, type Me } from '$lib/api';

export const SIGN_IN = '/sign-in';
export const SET_UP = '/setup';

/** The sign-in page that comes back to where the reader was. */
export function signInAddress(from: URL): string {
	const place = from.pathname + from.search;
	return place === '/' || place.startsWith(SIGN_IN)
		? SIGN_IN
		: `${SIGN_IN}?next=${encodeURIComponent(place)}`;
}

/** Where to go after signing in: only a path of this application, never another site. */
export function placeAfterSignIn(search: URLSearchParams): string {
	const next = search.get('next') ?? '/';
	return /^\/(?![/\\])/.test(next) && !next.startsWith(SIGN_IN) ? next : '/';
}

class Session {
	me = $state.raw<Me | null>(null);
	readonly isAdmin = $derived(this.me?.role === 'owner' || this.me?.role === 'admin');
	readonly isOwner = $derived(this.me?.role === 'owner');

	constructor() {
		onUnauthenticated(() => this.lost());
	}

	/** Who is signed in, asked once; null when nobody is. */
	async load(): Promise<Me | null> {
		if (this.me) return this.me;
		try {
			this.me = await call(client.GET('/api/v1/me'));
		} catch (caught) {
			const problem = Problem.from(caught);
			if (problem.status !== 401) throw problem;
		}
		return this.me;
	}

	/** Takes the answer of sign-in, set-up or a changed profile. */
	accept(me: Me): void {
		this.me = me;
	}

	/** Ends the session here and on the server. */
	async signOut(): Promise<void> {
		await call(client.DELETE('/api/v1/session'));
		// A full load, so that nothing of the person who left stays in memory.
		location.assign(SIGN_IN);
	}

	/** The server no longer knows the session: sign in again and come back. */
	lost(): void {
		if (!this.me) return;
		this.me = null;
		void goto(signInAddress(new URL(location.href)));
	}
}

export const session = new Session();
