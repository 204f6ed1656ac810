// How long an API key may live.

export const expiryChoices = ['30', '90', '365', 'never', 'date'] as const;
export type ExpiryChoice = (typeof expiryChoices)[number];

const DAY_MS = 86_400_000;

/** The `expires_at` of a choice: absent for "never". A chosen day ends at its last second in the reader's own time zone. */
export function expiresAt(choice: ExpiryChoice, day: string, now: number): string | undefined {
	if (choice === 'never') return undefined;
	if (choice === 'date') return new Date(`${day}T23:59:59`).toISOString();
	return new Date(now + Number(choice) * DAY_MS).toISOString();
}

/** Whether a day as typed (`2027-01-31`) is one that a key can expire on: a real date, today or later. */
export function isFutureDay(day: string, now: number): boolean {
	return /^\d{4}-\d{2}-\d{2}$/.test(day) && new Date(`${day}T23:59:59`).getTime() > now;
}

export type KeyState = 'live' | 'soon' | 'expired';

/** Seven days before its end a key is worth a warning. */
export function keyState(expires: string | null, now: number): KeyState {
	if (expires === null) return 'live';
	const left = new Date(expires).getTime() - now;
	return left <= 0 ? 'expired' : left < 7 * DAY_MS ? 'soon' : 'live';
}
