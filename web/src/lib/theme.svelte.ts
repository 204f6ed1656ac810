export type ThemeChoice = 'system' | 'light' | 'dark';

const key = 'stoa-theme';
const colours = { light: '#faf9f6', dark: '#171613' };

function stored(): ThemeChoice {
	try {
		const value = localStorage.getItem(key);
		return value === 'light' || value === 'dark' ? value : 'system';
	} catch {
		return 'system';
	}
}

/** Light, dark or as the system has it. `app.html` sets the first value before paint by the same rule. */
class Theme {
	choice = $state<ThemeChoice>(stored());
	#systemDark = $state(matchMedia('(prefers-color-scheme: dark)').matches);
	readonly current = $derived<'light' | 'dark'>(
		this.choice === 'system' ? (this.#systemDark ? 'dark' : 'light') : this.choice
	);

	constructor() {
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
			this.#systemDark = event.matches;
			this.#apply();
		});
		this.#apply();
	}

	choose(choice: ThemeChoice): void {
		this.choice = choice;
		try {
			if (choice === 'system') localStorage.removeItem(key);
			else localStorage.setItem(key, choice);
		} catch {
			// A browser without storage keeps the choice until the page is closed.
		}
		this.#apply();
	}

	#apply(): void {
		document.documentElement.dataset.theme = this.current;
		document.querySelector('meta[name="theme-color"]')?.setAttribute('content', colours[this.current]);
	}
}

export const theme = new Theme();
