import { m } from '$lib/i18n';
import { protocols, type Protocol } from './protocol';
import { suggestSlug } from './slug';

/** What is known of a service before anybody has typed anything. */
export interface Preset {
	id: string;
	name: string;
	slug: string;
	kind: Protocol;
	/** Empty where only its owner knows it. */
	baseUrl: string;
	/** Where a key is to be had. */
	keysAt?: string;
	hint?: string;
}

const CUSTOM = 'custom';

const OPENAI_LIKE = [
	['deepseek', 'DeepSeek', 'https://api.deepseek.com/v1', 'https://platform.deepseek.com/api_keys'],
	['mistral', 'Mistral', 'https://api.mistral.ai/v1', 'https://console.mistral.ai/api-keys'],
	['groq', 'Groq', 'https://api.groq.com/openai/v1', 'https://console.groq.com/keys'],
	['xai', 'xAI', 'https://api.x.ai/v1', 'https://console.x.ai'],
	['openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', 'https://openrouter.ai/settings/keys'],
	['together', 'Together AI', 'https://api.together.ai/v1', 'https://api.together.ai/settings/api-keys']
] as const;

/** Services with one address in China and another for everybody else; the keys of one are not taken at the other. */
const IN_TWO_PLACES = [
	{
		id: 'qwen',
		name: 'Qwen',
		china: [
			'https://dashscope.aliyuncs.com/compatible-mode/v1',
			'https://help.aliyun.com/zh/model-studio/get-api-key'
		],
		abroad: [
			'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
			'https://www.alibabacloud.com/help/en/model-studio/get-api-key'
		]
	},
	{
		id: 'moonshot',
		name: 'Moonshot AI (Kimi)',
		china: ['https://api.moonshot.cn/v1', 'https://platform.moonshot.cn'],
		abroad: ['https://api.moonshot.ai/v1', 'https://platform.moonshot.ai']
	},
	{
		id: 'zhipu',
		name: 'Zhipu (GLM)',
		china: ['https://open.bigmodel.cn/api/paas/v4', 'https://bigmodel.cn/usercenter/proj-mgmt/apikeys'],
		abroad: ['https://api.z.ai/api/paas/v4', 'https://z.ai/manage-apikey/apikey-list']
	},
	{
		id: 'siliconflow',
		name: 'SiliconFlow',
		china: ['https://api.siliconflow.cn/v1', 'https://cloud.siliconflow.cn/account/ak'],
		abroad: ['https://api.siliconflow.com/v1', 'https://cloud.siliconflow.com/account/ak']
	}
] as const;

/** The choice of no service in particular. */
export function custom(): Preset {
	const [name, hint] = [m.settings_preset_custom(), m.settings_preset_custom_hint()];
	return { id: CUSTOM, name, slug: '', kind: 'openai', baseUrl: '', hint };
}

/** The services that are known, and first the choice of none. Their addresses are those that they themselves document. */
export function presets(): Preset[] {
	const known = protocols();
	const own = (id: Protocol, name: string, keysAt: string): Preset => ({
		id,
		name,
		slug: id,
		kind: id,
		baseUrl: known[id].address,
		keysAt
	});
	const services: Preset[] = [
		own('openai', 'OpenAI', 'https://platform.openai.com/api-keys'),
		own('anthropic', 'Anthropic', 'https://console.anthropic.com/settings/keys'),
		own('gemini', 'Google Gemini', 'https://aistudio.google.com/apikey'),
		{
			...own('bedrock', 'Amazon Bedrock', 'https://console.aws.amazon.com/bedrock'),
			hint: m.settings_preset_bedrock_hint()
		},
		{
			...own('azure', 'Azure OpenAI', 'https://portal.azure.com'),
			baseUrl: '',
			hint: m.settings_preset_azure_hint()
		},
		...OPENAI_LIKE.map(([id, name, baseUrl, keysAt]): Preset => ({
			id,
			name,
			slug: id,
			kind: 'openai',
			baseUrl,
			keysAt
		})),
		...IN_TWO_PLACES.flatMap(({ id, name, china, abroad }): Preset[] => [
			{
				id: `${id}-china`,
				name: m.settings_preset_china({ name }),
				slug: id,
				kind: 'openai',
				baseUrl: china[0],
				keysAt: china[1]
			},
			{
				id: `${id}-international`,
				name: m.settings_preset_international({ name }),
				slug: id,
				kind: 'openai',
				baseUrl: abroad[0],
				keysAt: abroad[1]
			}
		]),
		{
			id: 'volcengine',
			name: m.settings_preset_volcengine(),
			slug: 'volcengine',
			kind: 'openai',
			baseUrl: 'https://ark.cn-beijing.volces.com/api/v3',
			keysAt: 'https://console.volcengine.com/ark',
			hint: m.settings_preset_volcengine_hint()
		}
	];
	const ofOnesOwn = (id: string, name: string, kind: Protocol, baseUrl: string): Preset => ({
		id,
		name,
		slug: suggestSlug(name),
		kind,
		baseUrl,
		hint: m.settings_preset_own_hint()
	});
	return [
		custom(),
		...services.sort((one, other) => one.name.localeCompare(other.name, 'en')),
		ofOnesOwn('vllm', 'vLLM', 'openai', 'http://127.0.0.1:8000/v1'),
		ofOnesOwn('lm-studio', 'LM Studio', 'openai', 'http://127.0.0.1:1234/v1'),
		ofOnesOwn('ollama', 'Ollama', 'ollama', known.ollama.address)
	];
}

/** The fields that a choice fills. */
export interface Filled {
	name: string;
	/** Null while it is suggested by the name. */
	slug: string | null;
	kind: Protocol;
	baseUrl: string;
}

/** The fields as another choice leaves them: what was filled by the last one is filled anew, what was typed stays. */
export function chosen(fields: Filled, from: Preset, to: Preset): Filled {
	const isUntouched = (text: string, filled: string) => text.trim() === '' || text === filled;
	const name = (preset: Preset) => (preset.id === CUSTOM ? '' : preset.name);
	const slug = fields.slug ?? '';
	return {
		name: isUntouched(fields.name, name(from)) ? name(to) : fields.name,
		slug: isUntouched(slug, from.slug) ? to.slug || null : fields.slug,
		kind: to.kind,
		baseUrl: isUntouched(fields.baseUrl, from.baseUrl) ? to.baseUrl : fields.baseUrl
	};
}
