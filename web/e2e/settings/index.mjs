// The settings, page by page.
import { memberTests } from './members.mjs';
import { profileTests } from './profile.mjs';
import { providerTests } from './providers.mjs';

export const settingsTests = [...profileTests, ...providerTests, ...memberTests];
