// How long a link may live.

export const expiryChoices = ['1', '7', '30', 'never'] as const;
export type ExpiryChoice = (typeof expiryChoices)[number];

const DAY_MS = 86_400_000;

/** The end of a choice, from now on: null for "never". */
export function endOf(choice: ExpiryChoice, now: number): string | null {
	return choice === 'never' ? null : new Date(now + Number(choice) * DAY_MS).toISOString();
}

/** Whether the end of a link lies behind. */
export function isOver(end: string | null, now: number): boolean {
	return end !== null && new Date(end).getTime() <= now;
}
