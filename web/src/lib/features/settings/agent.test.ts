import { describe, expect, it } from 'vitest';
import { describeAgent } from './agent';

describe('a session by its User-Agent', () => {
	it.each([
		[
			'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
			'Chrome',
			'Linux',
			false
		],
		[
			'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0',
			'Edge',
			'Windows',
			false
		],
		[
			'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
			'Safari',
			'iOS',
			true
		],
		[
			'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0',
			'Firefox',
			'macOS',
			false
		],
		[
			'Mozilla/5.0 (Linux; Android 15; M2102) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0',
			'WeChat',
			'Android',
			true
		]
	])('%s', (text, program, system, handheld) => {
		expect(describeAgent(text)).toEqual({ program, system, handheld });
	});

	it('names a program that is no browser, and nothing when nothing is said', () => {
		expect(describeAgent('curl/8.5.0').program).toBe('curl');
		expect(describeAgent(null)).toEqual({ program: '', system: '', handheld: false });
	});
});
