import type katex from 'katex';

type Katex = typeof katex;

let loaded: Katex | null = null;
let loading: Promise<void> | null = null;

/** Brings KaTeX and its fonts in, once, when the first formula is seen and the text around it is drawn. */
function load(): Promise<void> {
	loading ??= new Promise((drawn) => setTimeout(drawn))
		.then(() => Promise.all([import('katex'), import('katex/dist/katex.min.css')]))
		.then(([module]) => {
			loaded = module.default;
		})
		.finally(() => (loading = null));
	return loading;
}

/** Draws the formulas of a fragment. The answer is a promise when KaTeX has to come first, after which to draw again. */
export function drawFormulas(fragment: ParentNode): Promise<void> | null {
	const formulas = fragment.querySelectorAll<HTMLElement>('[data-math]');
	if (formulas.length === 0) return null;
	if (!loaded) return load();
	for (const formula of formulas) {
		const text = formula.textContent ?? '';
		const display = formula.dataset.math === 'display';
		formula.replaceChildren();
		loaded.render(text, formula, {
			displayMode: display,
			throwOnError: false,
			errorColor: 'var(--bad)',
			trust: false,
			strict: false,
			maxExpand: 500,
			maxSize: 40
		});
		formula.dataset.drawn = text;
		if (display) formula.tabIndex = 0;
	}
	return null;
}
