/** The colour of one among several of the same kind: shades of the accent, the last the strongest. */
export function shadeOf(index: number, count: number): string {
	const strength = count < 2 ? 100 : 30 + (70 * index) / (count - 1);
	return `color-mix(in srgb, var(--accent) ${Math.round(strength)}%, var(--panel))`;
}
