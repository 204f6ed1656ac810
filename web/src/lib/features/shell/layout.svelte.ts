import { MediaQuery } from 'svelte/reactivity';

/** Below this width there is one column. The same number as in the style sheets. */
const phone = new MediaQuery('max-width: 720px');
/** Below this width the side panel would leave no room for reading. */
const narrow = new MediaQuery('max-width: 1100px');

function stored(key: string, otherwise: boolean): boolean {
	try {
		return (localStorage.getItem(key) ?? String(otherwise)) === 'true';
	} catch {
		return otherwise;
	}
}

function store(key: string, value: boolean): void {
	try {
		localStorage.setItem(key, String(value));
	} catch {
		// Without storage the choice holds until the page is closed.
	}
}

/** Which parts of the frame are shown. */
class Layout {
	#navigation = $state(stored('stoa-navigation', true));
	#side = $state(stored('stoa-side', false));
	searching = $state(false);

	get phone(): boolean {
		return phone.current;
	}

	get narrow(): boolean {
		return narrow.current;
	}

	get navigation(): boolean {
		return this.#navigation;
	}

	set navigation(shown: boolean) {
		this.#navigation = shown;
		store('stoa-navigation', shown);
	}

	/** The side panel of wide pages. */
	get side(): boolean {
		return this.#side;
	}

	set side(shown: boolean) {
		this.#side = shown;
		store('stoa-side', shown);
	}
}

export const layout = new Layout();
