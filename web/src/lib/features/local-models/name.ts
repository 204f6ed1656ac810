const commands = /^(?:ollama|stoa\s+model)\s+(?:run|pull)\s+/i;
const library = /^(?:https?:\/\/)?(?:www\.)?ollama\.com\/(?:library\/)?/i;
const huggingFace = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\//i;

/** The name of a model in what people paste: a name, a command of Ollama's, or the address of its page. */
export function modelName(typed: string): string {
	let text = typed.trim().replace(commands, '').trim();
	if (huggingFace.test(text)) {
		const [user = '', repository = ''] = text.replace(huggingFace, '').split(/[/?#]/);
		return user && repository ? `hf.co/${user}/${repository}` : '';
	}
	text = text.replace(library, '').replace(/[?#].*$/, '');
	return text.replace(/\/+$/, '');
}

/** Whether this is meant as a name rather than as words to search for. */
export function isName(typed: string): boolean {
	const text = typed.trim();
	return commands.test(text) || (/[:/]/.test(text) && !/\s/.test(text));
}
