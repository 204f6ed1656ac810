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

function store(key: string, value: boolean | number): void {
	try {
		localStorage.setItem(key, String(value));
	} catch {
		// Without storage the choice holds until the page is closed.
	}
}

export const NARROWEST = 220;
export const WIDEST = 480;
export const ORDINARY = 272;

function storedWidth(): number {
	try {
		const width = Number(localStorage.getItem('stoa-navigation-width'));
		return width >= NARROWEST && width <= WIDEST ? width : ORDINARY;
	} catch {
		return ORDINARY;
	}
}

/** Which parts of the frame are shown. */
class Layout {
	#navigation = $state(stored('stoa-navigation', true));
	#side = $state(stored('stoa-side', false));
	#functions = $state(stored('stoa-functions', false));
	#width = $state(storedWidth());
	/** The palette is open. */
	searching = $state(false);
	/** It was opened to choose a model. */
	choosing = $state(false);
	/** The sheet of keys is open. */
	help = $state(false);
	/** Nothing but what is read and written. */
	zen = $state(false);

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

	/** How wide the navigation is, in px. */
	get width(): number {
		return this.#width;
	}

	set width(px: number) {
		this.#width = Math.round(Math.min(Math.max(px, NARROWEST), WIDEST));
		store('stoa-navigation-width', this.#width);
	}

	/** The way to the functions, for those who may make some or have some. */
	get functions(): boolean {
		return this.#functions;
	}

	set functions(shown: boolean) {
		this.#functions = shown;
		store('stoa-functions', shown);
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
