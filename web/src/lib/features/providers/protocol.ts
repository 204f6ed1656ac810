import type { Provider } from '$lib/api';
import { m } from '$lib/i18n';

export type Protocol = Provider['kind'];

interface Described {
	label: string;
	/** The address of the service that the protocol comes from. */
	address: string;
	/** What a key looks like there, where it is not just one word. */
	key?: string;
}

/** The protocols that a provider can be asked in, the most common first. */
export function protocols(): Record<Protocol, Described> {
	return {
		openai: { label: m.settings_protocol_openai(), address: 'https://api.openai.com/v1' },
		anthropic: { label: 'Anthropic', address: 'https://api.anthropic.com/v1' },
		gemini: { label: 'Google Gemini', address: 'https://generativelanguage.googleapis.com/v1beta' },
		ollama: { label: 'Ollama', address: 'http://127.0.0.1:11434/api' },
		responses: { label: 'OpenAI Responses', address: 'https://api.openai.com/v1' },
		azure: { label: 'Azure OpenAI', address: m.settings_protocol_azure_address() },
		bedrock: {
			label: 'Amazon Bedrock',
			address: 'https://bedrock-runtime.us-east-1.amazonaws.com',
			key: m.settings_protocol_bedrock_key()
		}
	};
}
