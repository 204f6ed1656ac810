import { describe, expect, it } from 'vitest';
import { GenerationLog, type Delta } from './log';

const text = (seq: number, words: string, first?: number): Delta => ({
	seq,
	part: 'text',
	text: words,
	first
});
const shown = (log: GenerationLog) => log.parts.map((part) => `${part.type}:${part.text}`);

function grown(tokens: string[]): GenerationLog {
	const log = new GenerationLog();
	tokens.forEach((token, index) => log.delta(text(index + 1, token)));
	return log;
}

describe('the log of a generation', () => {
	it('joins deltas of one part and opens another for the next kind', () => {
		const log = new GenerationLog();
		log.delta({ seq: 1, part: 'reasoning', text: 'Hm' });
		log.delta({ seq: 2, part: 'reasoning', text: 'm.' });
		log.delta(text(3, 'Yes'));
		expect(shown(log)).toEqual(['reasoning:Hmm.', 'text:Yes']);
		expect(log.seq).toBe(3);
	});

	it('takes nothing twice', () => {
		const log = grown(['a', 'b', 'c']);
		expect(log.delta(text(2, 'b'))).toBe('known');
		expect(log.delta(text(3, 'abc', 1))).toBe('known');
		expect(shown(log)).toEqual(['text:abc']);
	});

	it('says that tokens are missing instead of joining over a gap', () => {
		const log = grown(['a', 'b']);
		expect(log.delta(text(4, 'd'))).toBe('gap');
		expect(log.delta(text(9, 'defghi', 4))).toBe('gap');
		expect(log.seq).toBe(2);
		expect(log.delta(text(3, 'c'))).toBe('applied');
		expect(shown(log)).toEqual(['text:abc']);
	});

	it('takes a joined delta that overlaps what is known', () => {
		const log = grown(['a', 'b', 'c']);
		expect(log.delta(text(5, 'cde', 3))).toBe('applied');
		expect(shown(log)).toEqual(['text:abcde']);
	});

	it('rewinds exactly to a token, and the text that follows replaces the rest', () => {
		const log = grown(['Once ', 'upon ', 'a ', 'midnight']);
		expect(log.rewind(2)).toBe('applied');
		expect(shown(log)).toEqual(['text:Once upon ']);
		expect(log.delta(text(3, 'the '))).toBe('applied');
		expect(log.delta(text(4, 'hill'))).toBe('applied');
		expect(shown(log)).toEqual(['text:Once upon the hill']);
	});

	it('rewinds over the border between parts', () => {
		const log = new GenerationLog();
		log.delta({ seq: 1, part: 'reasoning', text: 'one' });
		log.delta({ seq: 2, part: 'reasoning', text: 'two' });
		log.delta(text(3, 'three'));
		log.rewind(1);
		expect(shown(log)).toEqual(['reasoning:one']);
		log.rewind(0);
		expect(shown(log)).toEqual([]);
		expect(log.seq).toBe(0);
	});

	it('cannot cut inside a joined delta: it goes back before it and asks for the rest', () => {
		const log = grown(['a', 'b']);
		log.delta(text(6, 'cdef', 3));
		expect(log.rewind(4)).toBe('gap');
		expect(log.seq).toBe(2);
		expect(shown(log)).toEqual(['text:ab']);
	});

	it('ignores a rewind to where it already is', () => {
		const log = grown(['a']);
		expect(log.rewind(1)).toBe('known');
		expect(log.rewind(8)).toBe('known');
		expect(shown(log)).toEqual(['text:a']);
	});

	it('takes a snapshot in place of everything, but never an older one', () => {
		const log = grown(['a', 'b', 'c']);
		expect(log.snapshot(2, [{ type: 'text', text: 'zz' }])).toBe('known');
		expect(
			log.snapshot(9, [
				{ type: 'reasoning', text: 'why', duration_ms: 40 },
				{ type: 'text', text: 'because' }
			])
		).toBe('applied');
		expect(log.delta(text(10, '.'))).toBe('applied');
		expect(shown(log)).toEqual(['reasoning:why', 'text:because.']);
		expect(log.rewind(9)).toBe('applied');
		expect(shown(log)).toEqual(['reasoning:why', 'text:because']);
		expect(log.rewind(4)).toBe('gap');
		expect(log.seq).toBe(0);
	});

	it('keeps what was there before a continuation through a rewind to its start', () => {
		const log = new GenerationLog();
		log.snapshot(0, [{ type: 'text', text: 'Once ' }]);
		log.delta(text(1, 'upon'));
		expect(log.rewind(0)).toBe('applied');
		expect(shown(log)).toEqual(['text:Once ']);
	});

	it('measures how long the thinking took', () => {
		let now = 1_000;
		const log = new GenerationLog(() => now);
		log.delta({ seq: 1, part: 'reasoning', text: 'a' });
		now = 2_500;
		log.delta({ seq: 2, part: 'reasoning', text: 'b' });
		now = 4_000;
		log.delta(text(3, 'c'));
		expect(log.parts[0]?.duration_ms).toBe(3_000);
	});

	it('equals what the server wrote, whatever is repeated, joined, lost and rewound on the way', () => {
		// Mulberry32: small, and the same on every run, so that a failure can be repeated.
		let seed = 42;
		const random = (below: number) => {
			seed = (seed + 0x6d2b79f5) | 0;
			let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
			mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
			return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
		};
		for (let round = 0; round < 300; round++) {
			const tokens = Array.from({ length: 40 }, (_, index) => `${index}${'abc'.slice(0, random(4))} `);
			const log = new GenerationLog();
			let sent = 0;
			let rewinds = 4;
			while (log.seq < tokens.length || sent < tokens.length) {
				const dice = random(10);
				if (dice === 0) sent = Math.max(0, sent - random(5));
				if (dice === 1) sent = Math.min(tokens.length - 1, sent + random(3));
				if (dice === 2 && log.seq > 0 && rewinds-- > 0) {
					const back = random(log.seq);
					for (let at = back; at < tokens.length; at++) tokens[at] = `r${random(100)} `;
					log.rewind(back);
					sent = log.seq;
				}
				const count = 1 + random(4);
				const piece = tokens.slice(sent, sent + count);
				const last = sent + piece.length;
				if (piece.length === 0) {
					sent = log.seq;
					continue;
				}
				const applied = log.delta(text(last, piece.join(''), sent + 1));
				sent = applied === 'gap' ? log.seq : last;
			}
			expect(shown(log), `round ${round}`).toEqual([`text:${tokens.join('')}`]);
		}
	});
});
