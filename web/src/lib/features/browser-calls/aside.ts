// What a model that only this browser reaches is asked beside its answers: titles and translations.
import { call, client, Problem, type Message } from '$lib/api';
import type { components } from '$lib/api/schema';
import { ask } from './ask';
import { CallFault } from './fault';

type ProviderCall = components['schemas']['ProviderCall'];
type Language = components['schemas']['Language'];

/** Code units; far beyond what any model writes at once, and what the server takes. */
const LONGEST = 500_000;
const TITLE_MS = 120_000;
const TRANSLATION_MS = 600_000;
/** As much of a title as the server looks at. */
const TITLE = 300;

/** What the model says, without what it thought. Throws a {@link Problem}. */
async function say(wanted: ProviderCall, patience: number): Promise<string> {
	let text = '';
	try {
		await ask(wanted, wanted.body, AbortSignal.timeout(patience), (part, more) => {
			if (part === 'text' && text.length < LONGEST) text += more;
		});
	} catch (caught) {
		const fault = caught instanceof CallFault ? caught : new CallFault('timed_out');
		throw new Problem({ code: fault.code, detail: fault.message });
	}
	return text;
}

/** Has the model write a title for a conversation that has just begun. Without one its first words stay. */
export async function title(conversation: string): Promise<void> {
	const path = { id: conversation };
	try {
		const wanted = await call(
			client.POST('/api/v1/conversations/{id}/title/call', { params: { path }, body: {} })
		);
		const text = (await say(wanted, TITLE_MS)).slice(0, TITLE);
		await call(client.PUT('/api/v1/conversations/{id}/title', { params: { path }, body: { text } }));
	} catch {
		// Nobody waits for it, and what is the matter with the model is told with its answers.
	}
}

/** Has a message translated by a model of the reader's own. */
export async function translate(id: string, model: string, language: Language): Promise<Message> {
	const path = { id };
	const wanted = await call(
		client.POST('/api/v1/messages/{id}/translation/call', { params: { path }, body: { language, model } })
	);
	const text = await say(wanted, TRANSLATION_MS);
	const body = { language, model, text };
	return call(client.PUT('/api/v1/messages/{id}/translation', { params: { path }, body }));
}
