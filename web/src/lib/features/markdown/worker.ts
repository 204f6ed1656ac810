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

addEventListener('message', ({ data }: MessageEvent<RenderRequest>) => {
	const html = data.blocks.map(({ source, open }) => renderBlock(source, open, data.links));
	postMessage({ id: data.id, html } satisfies RenderAnswer);
});
