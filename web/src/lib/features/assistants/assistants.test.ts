import { describe, expect, it } from 'vitest';
import type { Assistant } from '$lib/api';
import { placeToGoBack } from './back';
import { assistantOf } from './drop';
import { inkOn, pictureOf, signOf } from './face';
import { fileName, read } from './files';
import { questionsOf, tagsOf } from './lines';
import { inOrder, matching, moved } from './order';

const assistant = (id: string, more: Partial<Assistant> = {}): Assistant => ({
	id,
	name: id,
	description: '',
	tags: [],
	model: null,
	history_messages: null,
	pinned: false,
	folder_id: null,
	shared: false,
	picture: null,
	created_at: '2026-01-01T00:00:00Z',
	updated_at: '2026-01-01T00:00:00Z',
	...more
});
const ids = (items: Assistant[] | null) => items?.map(({ id }) => id);

describe('the order of assistants', () => {
	const list = [assistant('a', { pinned: true }), assistant('b'), assistant('c')];

	it('moves one by one step and leaves the others', () => {
		expect(ids(moved(list, 'c', -1))).toEqual(['a', 'c', 'b']);
		expect(ids(moved(list, 'b', 1))).toEqual(['a', 'c', 'b']);
	});

	it('moves one within its folder, past what lies elsewhere', () => {
		const mixed = [
			assistant('a', { folder_id: 'f' }),
			assistant('b'),
			assistant('c', { folder_id: 'f' }),
			assistant('d')
		];
		expect(ids(moved(mixed, 'c', -1))).toEqual(['c', 'b', 'a', 'd']);
		expect(ids(moved(mixed, 'b', 1))).toEqual(['a', 'd', 'c', 'b']);
		expect(moved(mixed, 'a', -1)).toBeNull();
	});

	it('does not lead out of the list, nor over the pinned ones', () => {
		expect(moved(list, 'c', 1)).toBeNull();
		expect(moved(list, 'b', -1)).toBeNull();
		expect(moved(list, 'a', 1)).toBeNull();
		expect(moved(list, 'nobody', 1)).toBeNull();
	});

	it('puts pinned ones first and keeps the order otherwise', () => {
		expect(ids(inOrder([assistant('x'), assistant('y', { pinned: true }), assistant('z')]))).toEqual([
			'y',
			'x',
			'z'
		]);
	});

	it('finds by all words, in name, description and tags', () => {
		const items = [
			assistant('1', { name: 'Translator', description: 'Both ways', tags: ['language'] }),
			assistant('2', { name: 'Editor', tags: ['Language', '写作'] })
		];
		expect(ids(matching(items, 'LANGUAGE'))).toEqual(['1', '2']);
		expect(ids(matching(items, 'language ways'))).toEqual(['1']);
		expect(ids(matching(items, '写作'))).toEqual(['2']);
		expect(ids(matching(items, 'nothing'))).toEqual([]);
	});
});

describe('the face of an assistant', () => {
	it('is its emoji, or the first letter of its name', () => {
		expect(signOf({ name: 'translator', avatar: '🌐' })).toBe('🌐');
		expect(signOf({ name: ' translator', avatar: '' })).toBe('T');
		expect(signOf({ name: '𠮷田' })).toBe('𠮷');
		expect(signOf({ name: '' })).toBe('?');
	});

	it('is a picture where there is one, whose address changes with it', () => {
		expect(pictureOf({ name: 'a', id: 'x', picture: '12ab' })).toBe('/api/v1/assistants/x/picture?v=12ab');
		expect(pictureOf({ name: 'a', id: 'x', picture: null })).toBeUndefined();
		expect(pictureOf({ name: 'a', preview: 'blob:y' })).toBe('blob:y');
	});

	it('has letters that can be read on its colour', () => {
		expect(inkOn('#dbe7f3')).toBe('#1d1c19');
		expect(inkOn('#3d4a5c')).toBe('#ffffff');
		expect(inkOn('')).toBeUndefined();
	});
});

describe('what is written in lines', () => {
	it('becomes tags, by the commas of either script', () => {
		expect(tagsOf('a, b，c、d,, a')).toEqual(['a', 'b', 'c', 'd']);
		expect(tagsOf(' ')).toEqual([]);
	});

	it('becomes questions, one a line', () => {
		expect(questionsOf(' One?\n\nTwo, or more?\nOne?')).toEqual(['One?', 'Two, or more?']);
	});
});

describe('files of assistants', () => {
	it('have names that every file system takes', () => {
		expect(fileName('../Über: translator?')).toBe('Über-translator.json');
		expect(fileName('🌐')).toBe('assistant.json');
	});

	it('are read as JSON or refused in words', async () => {
		expect(await read(new Blob(['{"a":1}']))).toEqual({ a: 1 });
		await expect(read(new Blob(['no']))).rejects.toMatchObject({ code: 'unreadable_file' });
	});
});

describe('what is dropped on a folder', () => {
	const id = '01890000-0000-7000-8000-000000000000';

	it('is an assistant of this very place', () => {
		expect(assistantOf(`https://stoa.test/?assistant=${id}`, 'https://stoa.test')).toBe(id);
		expect(assistantOf(`/?assistant=${id}`, 'https://stoa.test')).toBe(id);
	});

	it('is nothing else', () => {
		for (const address of ['', `https://other.test/?assistant=${id}`, `/c/${id}`, '/?assistant=x', '/']) {
			expect(assistantOf(address, 'https://stoa.test')).toBeNull();
		}
	});
});

describe('the way back from the editor', () => {
	const id = '01234567-89ab-7def-8123-456789abcdef';
	const href = (query: string, of: string | null = id) => placeToGoBack(new URLSearchParams(query), of).href;

	it('leads to the conversation that it was opened from', () => {
		expect(href(`from=${id}`)).toBe(`/c/${id}`);
		expect(href('from=new')).toBe(`/?assistant=${id}`);
	});

	it('leads to the list otherwise, and never elsewhere', () => {
		expect(href('')).toBe('/assistants');
		expect(href('from=new', null)).toBe('/assistants');
		expect(href('from=//evil.example')).toBe('/assistants');
	});
});
