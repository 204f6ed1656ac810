import { describe, expect, it } from 'vitest';
import { EventReader } from './sse';

const all = (...chunks: string[]) => {
	const reader = new EventReader();
	return chunks.flatMap((chunk) => reader.push(chunk));
};

describe('reading server-sent events', () => {
	it('reads name, data and id', () => {
		expect(all('event: delta\nid: 7\ndata: {"seq":7}\n\n')).toEqual([
			{ name: 'delta', data: '{"seq":7}', id: '7' }
		]);
	});

	it('gives the same events wherever the text is cut', () => {
		const text =
			'\uFEFFevent: start\r\ndata: one\r\n\r\n: heartbeat\r\rdata: two\rdata: lines\r\r\nevent:delta\ndata:  spaced\n\ndata: 网关\n\n';
		const whole = all(text);
		expect(whole.map(({ name, data }) => [name, data])).toEqual([
			['start', 'one'],
			['message', 'two\nlines'],
			['delta', ' spaced'],
			['message', '网关']
		]);
		for (let cut = 1; cut < text.length; cut++) {
			expect(all(text.slice(0, cut), text.slice(cut)), `cut at ${cut}`).toEqual(whole);
		}
		expect(all(...text)).toEqual(whole);
	});

	it('ignores comments, unknown fields, blocks without data and ids with a null', () => {
		expect(all(': \n\nevent: none\n\nretry: 5\nid: a\0b\ndata\n\n')).toEqual([
			{ name: 'message', data: '', id: '' }
		]);
	});

	it('refuses a line without end', () => {
		const reader = new EventReader();
		expect(() => {
			for (let piece = 0; piece < 40; piece++) reader.push('x'.repeat(1024 * 1024));
		}).toThrow(RangeError);
	});
});
