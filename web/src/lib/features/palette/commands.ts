// What the palette can do. Each command is there when the page that is shown, or the person, can do it.
import type { Component } from 'svelte';
import Archive from '@lucide/svelte/icons/archive';
import ArrowRight from '@lucide/svelte/icons/arrow-right';
import Bot from '@lucide/svelte/icons/bot';
import Copy from '@lucide/svelte/icons/copy';
import Cpu from '@lucide/svelte/icons/cpu';
import Folders from '@lucide/svelte/icons/folders';
import Keyboard from '@lucide/svelte/icons/keyboard';
import Languages from '@lucide/svelte/icons/languages';
import LogOut from '@lucide/svelte/icons/log-out';
import Maximize from '@lucide/svelte/icons/maximize';
import MessageCircleDashed from '@lucide/svelte/icons/message-circle-dashed';
import MessagesSquare from '@lucide/svelte/icons/messages-square';
import PanelLeft from '@lucide/svelte/icons/panel-left';
import Plus from '@lucide/svelte/icons/plus';
import SquareFunction from '@lucide/svelte/icons/square-function';
import SlidersHorizontal from '@lucide/svelte/icons/sliders-horizontal';
import SunMoon from '@lucide/svelte/icons/sun-moon';
import TextCursorInput from '@lucide/svelte/icons/text-cursor-input';
import { goto } from '$app/navigation';
import { Problem } from '$lib/api';
import { sectionsFor } from '$lib/features/settings';
import { actName, shortcuts, type Act } from '$lib/features/shortcuts';
import { chooseLocale, getLocale, languageNames, locales, m } from '$lib/i18n';
import { session } from '$lib/session.svelte';
import { theme, type ThemeChoice } from '$lib/theme.svelte';
import { problemWords, toasts } from '$lib/ui';
import { fit } from './fit';

export interface Command {
	key: string;
	name: string;
	icon: Component;
	/** Other words for the same, for those who type them. */
	also?: string;
	keys?: string;
	/** Small beside the name. */
	note?: string;
	run: () => void;
}

const actIcons: Partial<Record<Act, Component>> = {
	new: Plus,
	model: Cpu,
	focus: TextCursorInput,
	copy: Copy,
	parameters: SlidersHorizontal,
	sidebar: PanelLeft,
	zen: Maximize,
	help: Keyboard
};
const otherWords: Partial<Record<Act, string>> = {
	new: 'chat create start',
	model: 'llm choose',
	focus: 'write type composer',
	parameters: 'temperature role system prompt',
	sidebar: 'navigation panel hide show',
	zen: 'focus fullscreen distraction',
	help: 'hotkeys keys help'
};

function place(path: string, name: string, icon: Component, also?: string): Command {
	return { key: path, name: m.go_to({ place: name }), icon, also, run: () => void goto(path) };
}

async function signOut(): Promise<void> {
	try {
		await session.signOut();
	} catch (caught) {
		toasts.show(problemWords(Problem.from(caught)).title, { tone: 'bad' });
	}
}

/** Everything that can be done now. */
export function commands(): Command[] {
	const acts = (Object.keys(actIcons) as Act[]).filter((act) => shortcuts.offers(act));
	const themes: Record<ThemeChoice, string> = {
		light: m.theme_light(),
		dark: m.theme_dark(),
		system: m.theme_system()
	};
	return [
		...acts.map((act) => ({
			key: act,
			name: actName(act),
			icon: actIcons[act] as Component,
			also: otherWords[act],
			keys: shortcuts.words(act),
			run: () => shortcuts.run(act)
		})),
		{
			key: 'temporary',
			name: m.temporary_new(),
			icon: MessageCircleDashed,
			also: 'incognito private temporary',
			run: () => void goto('/?temporary')
		},
		place('/conversations', m.conversations(), MessagesSquare, 'chats history'),
		place('/conversations/manage', m.manage(), Archive, 'archive tags bulk'),
		place('/assistants', m.assistants(), Bot, 'agents'),
		place('/assistants/gallery', m.gallery(), Bot, 'agents discover'),
		place('/projects', m.projects(), Folders, 'folders'),
		place('/functions', m.functions(), SquareFunction, 'agents code serverless deploy'),
		...sectionsFor(session.isAdmin).flatMap(({ sections }) =>
			sections.map(({ path, label, icon }) =>
				place(path, `${m.settings()} · ${label}`, icon, path.replace(/[/-]/g, ' '))
			)
		),
		...(Object.keys(themes) as ThemeChoice[])
			.filter((choice) => choice !== theme.choice)
			.map((choice) => ({
				key: `theme-${choice}`,
				name: `${m.theme()}: ${themes[choice]}`,
				icon: SunMoon,
				also: `theme ${choice} mode`,
				run: () => theme.choose(choice)
			})),
		...locales
			.filter((locale) => locale !== getLocale())
			.map((locale) => ({
				key: `language-${locale}`,
				name: `${m.settings_language()}: ${languageNames[locale]}`,
				icon: Languages,
				also: 'language english chinese zhongwen',
				run: () => chooseLocale(locale)
			})),
		{ key: 'sign-out', name: m.sign_out(), icon: LogOut, also: 'log out leave', run: () => void signOut() }
	];
}

const MOST = 6;
const SUGGESTED = ['new', 'model', 'zen', 'help'];

/** Those that fit what is typed, the best first; after `>` all of them, and a few where nothing is typed. */
export function fitting(all: readonly Command[], typed: string): Command[] {
	const only = typed.startsWith('>');
	const words = only ? typed.slice(1) : typed;
	if (words.trim() === '') return only ? [...all] : all.filter(({ key }) => SUGGESTED.includes(key));
	return all
		.map((command) => ({ command, fits: fit(words, command.name, command.also) }))
		.filter(({ fits }) => fits > 0)
		.sort((one, other) => other.fits - one.fits)
		.slice(0, only ? undefined : MOST)
		.map(({ command }) => command);
}

/** The models as commands, for the list of them. */
export function modelCommands(
	models: readonly { id: string; name: string; display_name: string | null; provider: string }[],
	choose: (id: string) => void
): Command[] {
	return models.map(({ id, name, display_name, provider }) => ({
		key: id,
		name: display_name ?? name,
		icon: ArrowRight,
		also: `${name} ${provider}`,
		note: provider,
		run: () => choose(id)
	}));
}
