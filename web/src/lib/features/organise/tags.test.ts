import { describe, expect, it } from 'vitest';
import { tagsOf } from './tags';

describe('tags', () => {
	it('are apart by commas, each once and none empty', () => {
		expect(tagsOf(' work, 读书，work、 , two words')).toEqual(['work', '读书', 'two words']);
		expect(tagsOf(' ')).toEqual([]);
	});
});
