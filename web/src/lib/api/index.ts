import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema';
import { Problem } from './problem';

export { Problem } from './problem';

type Schemas = components['schemas'];
export type Me = Schemas['Me'];
export type Role = Schemas['Role'];
export type SetupState = Schemas['SetupState'];
export type Session = Schemas['Session'];
export type ApiKey = Schemas['ApiKey'];
export type CreatedApiKey = Schemas['CreatedApiKey'];
export type Scope = Schemas['Scope'];
export type User = Schemas['User'];
export type Provider = Schemas['Provider'];
export type ProviderModel = Schemas['ProviderModel'];
export type PersonalProvider = Schemas['PersonalProvider'];
export type CheckResult = Schemas['CheckResult'];
export type Allowance = Schemas['Allowance'];
export type InstalledModel = Schemas['InstalledModel'];
export type ModelPull = Schemas['ModelPull'];
export type MachineFacts = Schemas['MachineFacts'];
export type ModelSuggestion = Schemas['ModelSuggestion'];
export type FoundRepository = Schemas['FoundRepository'];
export type Ability = Schemas['Ability'];
export type Model = Schemas['AvailableModel'];
export type Assistant = Schemas['Assistant'];
export type SharedAssistant = Schemas['SharedAssistant'];
/** One's own, or one of somebody else's that one may talk to. */
export type AnyAssistant = Assistant | SharedAssistant;
export type AssistantShare = Schemas['AssistantShare'];
export type NewAssistantShare = Schemas['NewAssistantShare'];
export type AssistantFolder = Schemas['AssistantFolder'];
export type AssistantDetails = Schemas['AssistantDetails'];
export type AssistantProfile = Schemas['AssistantProfile'];
export type AssistantFile = Schemas['AssistantFile'];
export type Parameters = Schemas['Parameters'];
export type Think = Schemas['Think'];
export type Conversation = Schemas['Conversation'];
export type Message = Schemas['Message'];
export type ContextFigures = Schemas['ContextFigures'];
export type MessagePage = Schemas['MessageList'];
export type Part = Schemas['Part'];
export type NewPart = Schemas['NewPart'];
export type StoredFile = Schemas['File'];
export type Project = Schemas['Project'];
export type ProjectProfile = Schemas['ProjectProfile'];
export type Prompt = Schemas['Prompt'];
export type PromptProfile = Schemas['PromptProfile'];
export type PromptVariable = Schemas['PromptVariable'];
export type SearchHit = Schemas['SearchHit'];
export type Snippet = Schemas['Snippet'];
export type Usage = Schemas['Usage'];
export type DailyUsage = Schemas['DailyUsage'];
export type PersonalUsage = Schemas['PersonalUsage'];
export type ImportReport = Schemas['ImportReport'];
export type Audience = Schemas['Audience'];
export type Share = Schemas['Share'];
export type CreatedShare = Schemas['CreatedShare'];
export type Shared = Schemas['Shared'];
export type SharedMessage = Schemas['SharedMessage'];
export type Turn = Schemas['Turn'];

/** Every request goes through this client; its types are the server's own document. */
export const client = createClient<paths>({ baseUrl: '', credentials: 'same-origin' });

let whenUnauthenticated: (() => void) | null = null;

/** Says what to do when the server no longer knows the session. Set once by the session store. */
export function onUnauthenticated(handler: () => void): void {
	whenUnauthenticated = handler;
}

/** Tells the session store that a request outside the client was refused for want of a session. */
export function reportUnauthenticated(): void {
	whenUnauthenticated?.();
}

let wordsFirst: (() => Promise<void>) | null = null;

/** Says what to wait for before a problem is thrown: the words for it come when there is a first one. */
export function beforeProblem(handler: () => Promise<void>): void {
	wordsFirst = handler;
}

// A wrong password also answers 401; only a lost session may move the reader to the sign-in page.
const ownAnswer = /\/api\/v1\/(session|setup|me)$/;

const session: Middleware = {
	onResponse({ response, schemaPath }) {
		if (response.status === 401 && !ownAnswer.test(schemaPath)) reportUnauthenticated();
		return undefined;
	}
};
client.use(session);

interface Answer<T> {
	data?: T;
	error?: unknown;
	response: Response;
}

/** Waits for an answer of the client: its data, or a thrown {@link Problem}. */
export async function call<T>(request: Promise<Answer<T>>): Promise<T> {
	let answer: Answer<T>;
	try {
		answer = await request;
	} catch (caught) {
		throw Problem.from(caught);
	}
	if (answer.response.ok) return answer.data as T;
	await wordsFirst?.();
	throw Problem.fromAnswer(answer.error, answer.response);
}
