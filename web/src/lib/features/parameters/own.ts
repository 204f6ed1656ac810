/** How far a slider goes with each step: about a hundred steps, each a 1, 2 or 5 of some ten. */
export function stepOf(min: number, max: number, whole: boolean): number {
	const rough = (max - min) / 100;
	if (!(rough > 0)) return 1;
	const ten = 10 ** Math.floor(Math.log10(rough));
	const step =
		[1, 2, 5, 10].map((times) => times * ten).find((candidate) => candidate >= rough * 0.999) ?? ten;
	return whole ? Math.max(1, Math.round(step)) : Number(step.toPrecision(3));
}
