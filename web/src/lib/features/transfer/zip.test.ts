// @vitest-environment node
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { filesIn, isZip } from './zip';

/** A zip archive of these files, with a comment at its end. */
function zip(files: Record<string, string>, deflated = true): Blob {
	const parts: Uint8Array[] = [];
	const table: Uint8Array[] = [];
	let at = 0;
	for (const [name, text] of Object.entries(files)) {
		const bytes = Buffer.from(text);
		const data = deflated ? deflateRawSync(bytes) : bytes;
		const [local, entry] = [Buffer.alloc(30), Buffer.alloc(46)];
		local.writeUInt32LE(0x04034b50);
		local.writeUInt16LE(deflated ? 8 : 0, 8);
		local.writeUInt16LE(Buffer.byteLength(name), 26);
		entry.writeUInt32LE(0x02014b50);
		entry.writeUInt16LE(deflated ? 8 : 0, 10);
		entry.writeUInt32LE(data.length, 20);
		entry.writeUInt32LE(bytes.length, 24);
		entry.writeUInt16LE(Buffer.byteLength(name), 28);
		entry.writeUInt32LE(at, 42);
		parts.push(local, Buffer.from(name), data);
		table.push(entry, Buffer.from(name));
		at += local.length + Buffer.byteLength(name) + data.length;
	}
	const end = Buffer.alloc(22);
	const size = table.reduce((sum, part) => sum + part.length, 0);
	end.writeUInt32LE(0x06054b50);
	end.writeUInt32LE(size, 12);
	end.writeUInt32LE(at, 16);
	end.writeUInt16LE(7, 20);
	return new Blob([...parts, ...table, end, Buffer.from('comment')] as BlobPart[]);
}

const wanted = /^conversations(-\d+)?\.json$/;

describe('a zip archive', () => {
	it.each([true, false])('hands out the files that are wanted, deflated %s', async (deflated) => {
		const long = JSON.stringify(Array.from({ length: 2_000 }, (_, number) => ({ number })));
		const file = zip(
			{ 'export/conversations-001.json': '[2]', 'chat.html': 'x', 'export/conversations-000.json': long },
			deflated
		);
		expect(await isZip(file)).toBe(true);
		const found = await filesIn(file, wanted);
		expect(await Promise.all(found.map((one) => one.text()))).toEqual([long, '[2]']);
	});

	it('is told from other files, and one that is broken holds nothing', async () => {
		expect(await isZip(new Blob(['{"format":"stoa.archive","version":1}']))).toBe(false);
		expect(await isZip(new Blob([]))).toBe(false);
		const whole = zip({ 'conversations.json': '[]' });
		expect(await filesIn(whole.slice(0, whole.size - 40), wanted)).toEqual([]);
	});
});
