const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * How long to wait before the attempt with this number (0 is the first retry). Half of it is chance, so that the tabs of
 * a whole company do not come back in the same instant after a restart.
 */
export function backoff(attempt: number, random: () => number = Math.random): number {
	const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
	return full / 2 + (full / 2) * random();
}
