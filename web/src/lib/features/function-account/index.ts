export { default as AccountPage } from './AccountPage.svelte';
export { default as FunctionPeople } from './FunctionPeople.svelte';
export { default as PeriodChoice } from './PeriodChoice.svelte';
export { default as StepBars } from './StepBars.svelte';
export { default as Totals } from './Totals.svelte';
export type { Period } from './types';
