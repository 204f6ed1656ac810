import { describe, expect, it } from 'vitest';
import { position } from './place';

const view = { width: 400, height: 600 };
const anchor = { left: 100, right: 140, top: 50, bottom: 84 };

describe('position of a floating element', () => {
	it('is below its anchor, edge to edge', () => {
		expect(position(anchor, { width: 200, height: 100 }, view)).toMatchObject({
			left: 100,
			top: 90,
			side: 'bottom'
		});
		expect(position(anchor, { width: 120, height: 100 }, view, { align: 'end' }).left).toBe(20);
		expect(position(anchor, { width: 60, height: 20 }, view, { align: 'center' }).left).toBe(90);
	});

	it('turns over where there is more room', () => {
		const low = { left: 100, right: 140, top: 540, bottom: 574 };
		const at = position(low, { width: 200, height: 300 }, view);
		expect(at.side).toBe('top');
		expect(at.top).toBe(540 - 6 - 300);
	});

	it('never leaves the window', () => {
		const right = { left: 380, right: 396, top: 50, bottom: 84 };
		expect(position(right, { width: 200, height: 100 }, view).left).toBe(400 - 200 - 8);
		expect(position(anchor, { width: 200, height: 5000 }, view).maxHeight).toBe(600 - 84 - 6 - 8);
	});
});
