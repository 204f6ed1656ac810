/** Tags as they are written in one line: commas between them, of either script. */
export function tagsOf(line: string): string[] {
	return [...new Set(line.split(/[,，、]/u).map((tag) => tag.trim()))].filter(Boolean);
}

/** One question a line. */
export function questionsOf(text: string): string[] {
	return [...new Set(text.split('\n').map((line) => line.trim()))].filter(Boolean);
}
