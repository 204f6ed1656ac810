/** `[name]: address` lines, which serve the whole text and so have to travel with each block. */
export function definitions(text: string): string {
	if (!text.includes(']:')) return '';
	return (text.match(/^ {0,3}\[[^\]^\n]+\]:[ \t]*\S+.*$/gm) ?? []).join('\n');
}
