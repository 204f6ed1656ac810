const key = 'stoa-look';

/** What can be chosen, the ordinary first. `app.html` puts it on the page before paint, by the same names. */
export const looks = {
	accent: ['blue', 'green', 'plum', 'rust', 'graphite'],
	text: ['ordinary', 'small', 'large', 'largest'],
	contrast: ['ordinary', 'more'],
	motion: ['ordinary', 'less']
} as const;

export type Aspect = keyof typeof looks;
export type Choice<A extends Aspect> = (typeof looks)[A][number];
type Choices = { [A in Aspect]: Choice<A> };

const aspects = Object.keys(looks) as Aspect[];

function onThePage(): Choices {
	const data = document.documentElement.dataset;
	const chosen = aspects.map((aspect) => {
		const known: readonly string[] = looks[aspect];
		const value = data[aspect];
		return [aspect, value !== undefined && known.includes(value) ? value : known[0]];
	});
	return Object.fromEntries(chosen) as Choices;
}

/** Colour, size of the text, contrast and motion, for the eyes of whoever uses this browser. */
class Look {
	choices = $state.raw(onThePage());

	choose<A extends Aspect>(aspect: A, choice: Choice<A>): void {
		this.choices = { ...this.choices, [aspect]: choice };
		const { dataset } = document.documentElement;
		if (choice === looks[aspect][0]) Reflect.deleteProperty(dataset, aspect);
		else dataset[aspect] = choice;
		try {
			localStorage.setItem(key, JSON.stringify(this.choices));
		} catch {
			// A browser without storage keeps the choice until the page is closed.
		}
	}
}

export const look = new Look();
