import { describe, expect, it } from 'vitest';
import { Stick } from './stick';

const HEIGHT = 500;
const at = (top: number, content: number, height = HEIGHT) => ({ top, content, height });

function following(content = 2_000): Stick {
	const stick = new Stick();
	stick.resized(at(content - HEIGHT, content));
	return stick;
}

describe('following the end', () => {
	it('goes along while the content grows', () => {
		const stick = following();
		expect(stick.resized(at(1_500, 2_040))).toBe(1_540);
		stick.scrolled(at(1_540, 2_040));
		expect(stick.resized(at(1_540, 2_400))).toBe(1_900);
		expect(stick.stuck).toBe(true);
	});

	it('has nothing to do when it is there already', () => {
		expect(following().resized(at(1_500, 2_000))).toBeNull();
		expect(following().resized(at(0, 300))).toBeNull();
	});

	it('stops when the reader scrolls up, and never pulls back', () => {
		const stick = following();
		stick.scrolled(at(1_460, 2_000));
		expect(stick.stuck).toBe(false);
		expect(stick.resized(at(1_460, 2_300))).toBeNull();
		expect(stick.resized(at(1_460, 9_000))).toBeNull();
	});

	it('stops at the turn of the wheel, before the first pixel', () => {
		const stick = following();
		stick.turnedUp(at(1_500, 2_000));
		expect(stick.resized(at(1_500, 2_100))).toBeNull();
		// The first step of a smooth scroll is still near the end.
		stick.scrolled(at(1_495, 2_100));
		expect(stick.stuck).toBe(false);
	});

	it('does not stop for a turn that cannot move anything', () => {
		const stick = following();
		stick.turnedUp(at(0, 400));
		expect(stick.stuck).toBe(true);
	});

	it('starts again when the reader comes down to the end', () => {
		const stick = following();
		stick.scrolled(at(900, 2_000));
		stick.scrolled(at(1_200, 2_000));
		expect(stick.stuck).toBe(false);
		stick.scrolled(at(1_480, 2_000));
		expect(stick.stuck).toBe(true);
	});

	it('does not start again near the end while the reader goes up', () => {
		const stick = following();
		stick.scrolled(at(1_490, 2_000));
		expect(stick.stuck).toBe(false);
		stick.scrolled(at(1_480, 2_000));
		expect(stick.stuck).toBe(false);
	});

	it('does not take a shrinking content or a growing view for the reader', () => {
		const stick = following();
		stick.scrolled(at(1_300, 1_800));
		expect(stick.stuck).toBe(true);
		stick.scrolled(at(1_100, 1_800, 700));
		expect(stick.stuck).toBe(true);
	});

	it('follows again when it is asked to', () => {
		const stick = following();
		stick.scrolled(at(100, 2_000));
		stick.follow();
		expect(stick.resized(at(100, 2_000))).toBe(1_500);
	});

	it('stays where it is when it is told to leave', () => {
		const stick = following();
		stick.leave();
		expect(stick.resized(at(1_500, 3_000))).toBeNull();
	});
});
