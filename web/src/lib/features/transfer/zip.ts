// Reads single files out of a zip archive, of which only its table and those files are looked at, however large it is.

const END = 0x06054b50;
const END_64 = 0x06064b50;
const END_64_PLACE = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const FULL = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
/** The table of an export of many pictures has a few MiB. */
const TABLE_BYTES = 64 * 1024 * 1024;

interface Entry {
	name: string;
	method: number;
	size: number;
	at: number;
}

async function view(file: Blob, from: number, to: number): Promise<DataView> {
	return new DataView(await file.slice(Math.max(0, from), to).arrayBuffer());
}

export async function isZip(file: Blob): Promise<boolean> {
	return file.size >= 22 && (await view(file, 0, 4)).getUint32(0, true) === LOCAL;
}

/** Where the table is. Null when there is none that can be read. */
async function table(file: Blob): Promise<{ at: number; size: number } | null> {
	// A comment of at most 64 KiB may follow the end.
	const from = Math.max(0, file.size - 65_557);
	const end = await view(file, from, file.size);
	for (let at = end.byteLength - 22; at >= 0; at--) {
		if (end.getUint32(at, true) !== END) continue;
		const place = { at: end.getUint32(at + 16, true), size: end.getUint32(at + 12, true) };
		if (place.at !== FULL && place.size !== FULL) return place;
		const locator = await view(file, from + at - 20, from + at);
		if (locator.byteLength < 20 || locator.getUint32(0, true) !== END_64_PLACE) return null;
		const there = Number(locator.getBigUint64(8, true));
		const large = await view(file, there, there + 56);
		if (large.byteLength < 56 || large.getUint32(0, true) !== END_64) return null;
		return { at: Number(large.getBigUint64(48, true)), size: Number(large.getBigUint64(40, true)) };
	}
	return null;
}

/** Sizes that do not fit their fields stand in a field of their own. */
function large(data: DataView, from: number, to: number, entry: Entry, sizeOf: number): Entry {
	for (let at = from; at + 4 <= to; at += 4 + data.getUint16(at + 2, true)) {
		if (data.getUint16(at, true) !== 1) continue;
		let next = at + 4;
		const read = (value: number) => {
			if (value !== FULL || next + 8 > to) return value;
			next += 8;
			return Number(data.getBigUint64(next - 8, true));
		};
		read(sizeOf);
		const size = read(entry.size);
		return { ...entry, size, at: read(entry.at) };
	}
	return entry;
}

async function entries(file: Blob): Promise<Entry[]> {
	const place = await table(file);
	if (!place || place.size > TABLE_BYTES) return [];
	const data = await view(file, place.at, place.at + place.size);
	const all: Entry[] = [];
	for (let at = 0; at + 46 <= data.byteLength && data.getUint32(at, true) === ENTRY;) {
		const nameEnd = at + 46 + data.getUint16(at + 28, true);
		const extraEnd = nameEnd + data.getUint16(at + 30, true);
		if (extraEnd > data.byteLength) break;
		const name = new TextDecoder().decode(new Uint8Array(data.buffer, at + 46, nameEnd - at - 46));
		const entry = {
			name,
			method: data.getUint16(at + 10, true),
			size: data.getUint32(at + 20, true),
			at: data.getUint32(at + 42, true)
		};
		all.push(large(data, nameEnd, extraEnd, entry, data.getUint32(at + 24, true)));
		at = extraEnd + data.getUint16(at + 32, true);
	}
	return all;
}

/** The files of a zip archive whose last names fit, in the order of their names. */
export async function filesIn(file: Blob, fits: RegExp): Promise<Blob[]> {
	const wanted = (await entries(file)).filter(({ name }) => fits.test(name.split('/').pop() ?? ''));
	wanted.sort((one, other) => one.name.localeCompare(other.name));
	const found: Blob[] = [];
	for (const { method, size, at } of wanted) {
		const head = await view(file, at, at + 30);
		if (head.byteLength < 30 || head.getUint32(0, true) !== LOCAL) continue;
		const begin = at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
		const bytes = file.slice(begin, begin + size);
		if (method === STORED) found.push(bytes);
		if (method !== DEFLATED) continue;
		const inflated = bytes.stream().pipeThrough(new DecompressionStream('deflate-raw'));
		// The browser keeps large ones on its disk.
		found.push(await new Response(inflated).blob());
	}
	return found;
}
