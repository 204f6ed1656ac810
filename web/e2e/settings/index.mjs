// The settings, page by page.
import { localModelTests } from './local-models.mjs';
import { memberTests } from './members.mjs';
import { profileTests } from './profile.mjs';
import { providerTests } from './providers.mjs';
import { usageTests } from './usage.mjs';

export const settingsTests = [
	...profileTests,
	...providerTests,
	...localModelTests,
	...memberTests,
	...usageTests
];
