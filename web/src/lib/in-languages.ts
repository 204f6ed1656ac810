import { getLocale, type Locale } from '$lib/paraglide/runtime';

type Inputs = Record<string, unknown>;
type Text = (inputs: Inputs) => string;

/** A message that is said in the language of the page. What compiled messages become in a build. */
export function inLanguages(en: Text, zh: Text): (inputs?: Inputs, options?: { locale?: Locale }) => string {
	return (inputs = {}, options = {}) => ((options.locale ?? getLocale()) === 'zh' ? zh : en)(inputs);
}
