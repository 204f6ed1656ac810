import type { components } from '$lib/api/schema';

type Schemas = components['schemas'];
export type Account = Schemas['FunctionAccount'];
export type Accounts = Schemas['FunctionAccounts'];
export type Sum = Schemas['AccountSum'];
export type Point = Schemas['AccountPoint'];
/** In hours. */
export type Period = '1' | '24' | '168' | '720';
