import remend from 'remend';

/** Closes what is half typed at the end of a block that is still being written. */
export function mend(source: string): string {
	return remend(source, { linkMode: 'text-only', katex: true, htmlTags: true });
}
