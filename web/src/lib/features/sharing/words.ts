import type { Audience } from '$lib/api';
import { m } from '$lib/i18n';
import type { ExpiryChoice } from './expiry';

export const audienceName: Record<Audience, () => string> = {
	members: m.share_members,
	everyone: m.share_everyone
};
export const expiryName: Record<ExpiryChoice, () => string> = {
	'1': m.share_expiry_1,
	'7': m.share_expiry_7,
	'30': m.share_expiry_30,
	never: m.share_expiry_never
};
