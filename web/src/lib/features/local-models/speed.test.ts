import { describe, expect, it } from 'vitest';
import { Speed, Speeds } from './speed';

describe('the speed of a download', () => {
	it('is not guessed from too little', () => {
		const speed = new Speed();
		expect(speed.perSecond).toBeNull();
		speed.note(0, 0);
		speed.note(500, 1000);
		expect(speed.perSecond).toBeNull();
		expect(speed.secondsLeft(1000)).toBeNull();
	});

	it('is that of the last seconds', () => {
		const speed = new Speed();
		for (let second = 0; second <= 20; second++) speed.note(second * 1000, second * 1000);
		expect(speed.perSecond).toBe(1000);
		expect(speed.secondsLeft(50_000)).toBe(30);
		for (let second = 21; second <= 29; second++) speed.note(20_000, second * 1000);
		expect(speed.perSecond).toBe(0);
		expect(speed.secondsLeft(50_000)).toBeNull();
	});

	it('begins anew when less is there than before', () => {
		const speed = new Speed();
		speed.note(9000, 0);
		speed.note(12_000, 2000);
		speed.note(100, 3000);
		expect(speed.perSecond).toBeNull();
		speed.note(4100, 5000);
		expect(speed.perSecond).toBe(2000);
	});

	it('has nothing to say about a size that is not known', () => {
		const speed = new Speed();
		speed.note(0, 0);
		speed.note(4000, 2000);
		expect(speed.secondsLeft(0)).toBeNull();
	});
});

describe('the speeds of several downloads', () => {
	it('are kept apart, and forgotten at the end', () => {
		const speeds = new Speeds();
		const at = (bytes: number, other: number) => [
			{ id: 'a', bytes },
			{ id: 'b', bytes: other }
		];
		speeds.note(at(0, 0), 0);
		speeds.note(at(2000, 4000), 2000);
		expect([speeds.of('a')?.perSecond, speeds.of('b')?.perSecond]).toEqual([1000, 2000]);
		speeds.note([{ id: 'b', bytes: 5000 }], 3000);
		expect(speeds.of('a')).toBeUndefined();
		expect(speeds.of('b')?.perSecond).not.toBeNull();
	});
});
