import { describe, expect, it } from 'vitest';
import { stepOf } from './own';

describe('the step of a slider', () => {
	it('is a round number, about a hundredth of the way', () => {
		expect(stepOf(0, 1, false)).toBe(0.01);
		expect(stepOf(0, 2, false)).toBe(0.02);
		expect(stepOf(-3, 3, false)).toBe(0.1);
		expect(stepOf(0, 0.3, false)).toBe(0.005);
		expect(stepOf(1, 40, true)).toBe(1);
		expect(stepOf(1024, 32_768, true)).toBe(500);
		expect(stepOf(5, 5, false)).toBe(1);
	});
});
