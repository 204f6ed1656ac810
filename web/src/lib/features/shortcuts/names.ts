// What the keys do, in words.
import { m } from '$lib/i18n';
import type { Act } from './shortcuts.svelte';

const names: Record<Act, () => string> = {
	palette: m.act_palette,
	new: m.new_conversation,
	help: m.act_help,
	focus: m.act_focus,
	model: m.act_model,
	parameters: m.act_parameters,
	copy: m.act_copy,
	quote: m.act_quote,
	sidebar: m.act_sidebar,
	zen: m.act_zen,
	settings: m.act_settings
};

export const actName = (act: Act): string => names[act]();
