import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { looks } from './look.svelte';

const css = readFileSync('src/lib/styles/tokens.css', 'utf8');

/** The tokens under these selectors, later ones over earlier ones. */
function tokens(...selectors: string[]): Record<string, string> {
	const found: Record<string, string> = {};
	for (const selector of selectors) {
		const block = css.split(`\n${selector} {`)[1]?.split('}')[0];
		if (block === undefined) throw new Error(`no ${selector}`);
		for (const [, name = '', value = ''] of block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g))
			found[name] = value;
	}
	return found;
}

function luminance(colour: string): number {
	const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
		const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
		return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string | undefined, b: string | undefined): number {
	const [dark = 0, light = 0] = [luminance(a ?? ''), luminance(b ?? '')].sort((x, y) => x - y);
	return (light + 0.05) / (dark + 0.05);
}

describe.each([
	['light', [':root'], ''],
	['dark', [':root', "[data-theme='dark']"], "[data-theme='dark']"]
])('colours can be read, %s', (_theme, base, prefix) => {
	it.each(looks.accent)('%s', (accent) => {
		const colours = tokens(...base, `${prefix}[data-accent='${accent}']`);
		if (accent === 'blue') expect(colours).toEqual(tokens(...base));
		for (const ground of ['canvas', 'panel', 'surface', 'accent-soft']) {
			expect(contrast(colours.accent, colours[ground]), `accent on ${ground}`).toBeGreaterThanOrEqual(4.5);
		}
		expect(contrast(colours['on-accent'], colours.accent), 'on the accent').toBeGreaterThanOrEqual(4.5);
	});

	it('more contrast is more', () => {
		const [before, after] = [tokens(...base), tokens(...base, `${prefix}[data-contrast='more']`)];
		for (const ink of ['ink', 'ink-2', 'ink-3']) {
			expect(contrast(after[ink], after.canvas), ink).toBeGreaterThan(contrast(before[ink], before.canvas));
			expect(contrast(after[ink], after.canvas), ink).toBeGreaterThanOrEqual(7);
		}
		expect(contrast(after.line, after.canvas)).toBeGreaterThanOrEqual(3);
	});
});
