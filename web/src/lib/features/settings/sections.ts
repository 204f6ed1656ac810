import type { Component } from 'svelte';
import ArrowDownUp from '@lucide/svelte/icons/arrow-down-up';
import ChartColumn from '@lucide/svelte/icons/chart-column';
import Cpu from '@lucide/svelte/icons/cpu';
import Laptop from '@lucide/svelte/icons/laptop';
import Keyboard from '@lucide/svelte/icons/keyboard';
import KeyRound from '@lucide/svelte/icons/key-round';
import Link from '@lucide/svelte/icons/link';
import MonitorSmartphone from '@lucide/svelte/icons/monitor-smartphone';
import Network from '@lucide/svelte/icons/network';
import NotebookPen from '@lucide/svelte/icons/notebook-pen';
import Plug from '@lucide/svelte/icons/plug';
import SquareFunction from '@lucide/svelte/icons/square-function';
import UserRound from '@lucide/svelte/icons/user-round';
import Users from '@lucide/svelte/icons/users';
import { m } from '$lib/i18n';

export interface Section {
	path: string;
	label: string;
	icon: Component;
}
export interface SectionGroup {
	heading: string;
	sections: Section[];
}

/** The tree of settings as a person with these rights sees it. */
export function sectionsFor(isAdmin: boolean, functions = false): SectionGroup[] {
	const groups: SectionGroup[] = [
		{
			heading: m.settings_group_account(),
			sections: [
				{ path: '/settings/profile', label: m.settings_profile(), icon: UserRound },
				{ path: '/settings/prompts', label: m.prompts(), icon: NotebookPen },
				{ path: '/settings/shortcuts', label: m.keys_settings(), icon: Keyboard },
				{ path: '/settings/sessions', label: m.settings_sessions(), icon: MonitorSmartphone },
				{ path: '/settings/api-keys', label: m.settings_keys(), icon: KeyRound },
				{ path: '/settings/usage', label: m.usage_title(), icon: ChartColumn },
				{ path: '/settings/links', label: m.share_links(), icon: Link },
				{ path: '/settings/data', label: m.data_title(), icon: ArrowDownUp }
			]
		},
		{
			heading: m.settings_group_models(),
			sections: [
				{ path: '/settings/local-models', label: m.settings_local(), icon: Cpu },
				{ path: '/settings/personal', label: m.personal_title(), icon: Laptop }
			]
		}
	];
	// They have a page of their own; on phones this is the way to it.
	if (functions) groups[1]?.sections.push({ path: '/functions', label: m.functions(), icon: SquareFunction });
	if (!isAdmin) return groups;
	groups[1]?.sections.unshift({ path: '/settings/providers', label: m.settings_providers(), icon: Plug });
	groups.push({
		heading: m.settings_group_organisation(),
		sections: [
			{ path: '/settings/members', label: m.settings_members(), icon: Users },
			{ path: '/settings/network', label: m.settings_network(), icon: Network }
		]
	});
	return groups;
}
