// Draws a part of the page on a canvas: as the browser draws it, by way of an SVG image that holds a copy of it with all of its
// styles, fonts and pictures in itself.

/** Browsers give up on larger ones. */
const MOST_PIXELS = 16_000;
const SCALE = 2;
const FONTS_MS = 300;
/** What a style says of itself and not of its size or its colours. */
const LEFT_OUT =
	/^(-webkit-|animation|transition|cursor|pointer-events|user-select|will-change|perspective|inset|block-size|inline-size|min-|max-)/;

/** What an image has other beginnings for than the page. */
const ALWAYS =
	/^(display|margin|padding|box-sizing|color$|font-|line-height|list-style|white-space|text-align|overflow-wrap|width$|height$|position$|top$|vertical-align)/;

/** Taller than an image can be. */
export class TooTall extends Error {}

function withStyles(node: Element, copy: Element, plain: CSSStyleDeclaration): void {
	const style = getComputedStyle(node);
	let text = '';
	for (const name of style) {
		if (LEFT_OUT.test(name)) continue;
		const value = style.getPropertyValue(name);
		if (ALWAYS.test(name) || value !== plain.getPropertyValue(name)) text += `${name}:${value};`;
	}
	copy.setAttribute('style', text);
	copy.removeAttribute('class');
	[...node.children].forEach((child, index) => {
		const twin = copy.children[index];
		if (twin) withStyles(child, twin, plain);
	});
}

async function asData(address: string): Promise<string> {
	const blob = await (await fetch(address)).blob();
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		reader.onload = () => resolve(String(reader.result));
		reader.onerror = () => reject(reader.error ?? new Error('unreadable'));
		reader.readAsDataURL(blob);
	});
}

/** The fonts that are in use on the page, in themselves. */
async function fonts(): Promise<string> {
	const used = new Set(
		[...document.fonts].filter(({ status }) => status === 'loaded').map(({ family }) => family)
	);
	const rules = [...document.styleSheets].flatMap((sheet) =>
		[...sheet.cssRules]
			.filter((rule) => rule instanceof CSSFontFaceRule)
			.filter((rule) =>
				[...used].some((family) =>
					rule.style.getPropertyValue('font-family').includes(family.replace(/["']/g, ''))
				)
			)
			.map((rule) => ({ rule, base: sheet.href ?? location.href }))
	);
	const faces = await Promise.all(
		rules.map(async ({ rule, base }) => {
			const source = /url\("?([^")]+)"?\)/.exec(rule.style.getPropertyValue('src'))?.[1];
			if (!source) return '';
			const face = [...document.fonts].find(
				({ family, unicodeRange, style, status }) =>
					status === 'loaded' &&
					rule.style.getPropertyValue('font-family').includes(family.replace(/["']/g, '')) &&
					(rule.style.getPropertyValue('unicode-range') || 'U+0-10FFFF') === unicodeRange &&
					(rule.style.getPropertyValue('font-style') || 'normal') === style
			);
			if (!face) return '';
			return rule.cssText
				.replace(/font-display:[^;]+;/, '')
				.replace(/src:[^;]+;/, `src: url("${await asData(new URL(source, base).href)}");`);
		})
	);
	return faces.join('\n');
}

/** A PNG of `node`, which is on the page and drawn to its end. */
export async function drawn(node: HTMLElement): Promise<Blob> {
	const { width, height } = node.getBoundingClientRect();
	if (height > MOST_PIXELS) throw new TooTall();
	const copy = node.cloneNode(true) as HTMLElement;
	const frame = document.createElement('div');
	document.body.append(frame);
	const plain = getComputedStyle(frame);
	withStyles(node, copy, plain);
	frame.remove();
	for (const button of copy.querySelectorAll('button')) button.remove();
	const pictures = [...node.querySelectorAll('img')];
	const twins = [...copy.querySelectorAll('img')];
	await Promise.all(
		twins.map(async (twin, index) => twin.setAttribute('src', await asData(pictures[index]?.src ?? '')))
	);
	const style = document.createElement('style');
	style.textContent = await fonts();
	copy.prepend(style);
	copy.setAttribute('xmlns', 'http://www.w3.org/1999/xhtml');
	const inside = new XMLSerializer().serializeToString(copy);
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><foreignObject width="100%" height="100%">${inside}</foreignObject></svg>`;
	const image = new Image();
	image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
	await image.decode();
	// Fonts are read while it is drawn for the first time.
	await new Promise((resolve) => setTimeout(resolve, FONTS_MS));
	const scale = Math.min(SCALE, MOST_PIXELS / height);
	const canvas = document.createElement('canvas');
	canvas.width = Math.round(width * scale);
	canvas.height = Math.round(height * scale);
	canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
	return new Promise((resolve, reject) => {
		canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new TooTall())), 'image/png');
	});
}
