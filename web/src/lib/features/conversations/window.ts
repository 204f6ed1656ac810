/** Heights in CSS pixels: all rows are of one, all headings of another. */
export interface Sizes {
	heading: number;
	row: number;
	/** Space before the first heading. */
	margin: number;
	/** How far beyond the view rows are kept, so that scrolling and Tab find them. */
	beyond: number;
}

/** The rows of one group that are in the page: from `first` up to, and without, `end`. */
export interface Slice {
	first: number;
	end: number;
}

/** Which rows of each group are near the view, from what can be counted alone: nothing has to be measured. */
export function windowOf(
	counts: readonly number[],
	view: { top: number; height: number },
	sizes: Sizes
): Slice[] {
	const from = view.top - sizes.beyond;
	const to = view.top + view.height + sizes.beyond;
	let top = sizes.margin;
	return counts.map((count) => {
		top += sizes.heading;
		const first = Math.min(count, Math.max(0, Math.floor((from - top) / sizes.row)));
		const end = Math.max(first, Math.min(count, Math.ceil((to - top) / sizes.row)));
		top += count * sizes.row;
		return { first, end };
	});
}

/** How high all of it is. */
export function heightOf(counts: readonly number[], { heading, row, margin }: Sizes): number {
	return counts.reduce((height, count) => height + heading + count * row, margin);
}

/** Where a key leads from one row of the whole list, or null when the key does not move. */
export function stepTo(key: string, from: number, count: number, page: number): number | null {
	const to = {
		ArrowDown: from + 1,
		ArrowUp: from - 1,
		PageDown: from + page,
		PageUp: from - page,
		Home: 0,
		End: count - 1
	}[key];
	return to === undefined || count === 0 ? null : Math.min(count - 1, Math.max(0, to));
}
