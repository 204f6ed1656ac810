import { describe, expect, it } from 'vitest';
import { conversationOf } from './drop';

const ID = '01890000-0000-7000-8000-000000000000';

describe('what is dropped', () => {
	it('is a conversation of this very place', () => {
		expect(conversationOf(`https://stoa.test/c/${ID}`, 'https://stoa.test')).toBe(ID);
		expect(conversationOf(`/c/${ID}?message=x`, 'https://stoa.test')).toBe(ID);
	});

	it('is nothing else', () => {
		for (const address of [
			'',
			'nonsense',
			`https://other.test/c/${ID}`,
			'/c/new',
			`/settings/c/${ID}`,
			`/c/${ID}/x`
		]) {
			expect(conversationOf(address, 'https://stoa.test')).toBeNull();
		}
	});
});
