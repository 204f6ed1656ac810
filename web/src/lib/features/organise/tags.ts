/** Tags as they are written, apart by commas of either language; each once. */
export function tagsOf(text: string): string[] {
	return [...new Set(text.split(/[,，、]/).map((tag) => tag.trim()))].filter(Boolean);
}
