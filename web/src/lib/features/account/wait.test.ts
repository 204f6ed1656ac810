import { expect, it } from 'vitest';
import { waitInWords } from './wait';

it('rounds a wait up, in seconds first and then in minutes', () => {
	expect(waitInWords(0)).toBe('1 second');
	expect(waitInWords(29.2)).toBe('30 seconds');
	expect(waitInWords(91)).toBe('2 minutes');
	expect(waitInWords(600)).toBe('10 minutes');
});
