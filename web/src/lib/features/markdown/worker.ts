import { renderBlock } from './render';

export interface RenderRequest {
	id: number;
	links: string;
	blocks: { source: string; open: boolean }[];
}

export interface RenderAnswer {
	id: number;
	html: string[];
}

type Mend = (source: string) => string;
let known: Mend | null = null;

/** Only what is being written has to be mended; a conversation that is opened to be read does without the code for it. */
async function mending(): Promise<Mend> {
	try {
		known ??= (await import('./mend')).mend;
	} catch {
		// Out of reach for now: what is half typed shows its marks until they are closed.
	}
	return known ?? ((source) => source);
}

addEventListener('message', async ({ data }: MessageEvent<RenderRequest>) => {
	const mend = data.blocks.some(({ open }) => open) ? await mending() : null;
	const html = data.blocks.map(({ source, open }) =>
		renderBlock(open && mend ? mend(source) : source, data.links)
	);
	postMessage({ id: data.id, html } satisfies RenderAnswer);
});
