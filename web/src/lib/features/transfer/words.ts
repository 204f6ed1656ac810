import type { ImportReport } from '$lib/api';
import { m } from '$lib/i18n';

type Group = ImportReport['left_out'][number];

const sources: Record<ImportReport['source'], string> = {
	stoa: 'Stoa',
	chatgpt: 'ChatGPT',
	open_webui: 'Open WebUI',
	lobechat: 'LobeChat'
};
const kinds: Record<Group['what'], () => string> = {
	project: m.import_kind_projects,
	assistant_folder: m.import_kind_assistant_folders,
	assistant: m.import_kind_assistants,
	prompt: m.prompts,
	conversation: m.import_kind_conversations,
	message: m.import_kind_messages,
	picture: m.import_kind_pictures,
	other: m.import_kind_other
};
const reasons: Record<Group['why'], () => string> = {
	unreadable: m.import_why_unreadable,
	too_large: m.import_why_too_large,
	not_supported: m.import_why_not_supported,
	not_in_file: m.import_why_not_in_file,
	empty: m.import_why_empty,
	not_allowed: m.import_why_not_allowed,
	no_room: m.import_why_no_room,
	cut_off: m.import_why_cut_off
};

export const sourceName = (source: ImportReport['source']) => sources[source];
export const kindName = (what: Group['what']) => kinds[what]();
export const reason = (why: Group['why']) => reasons[why]();
