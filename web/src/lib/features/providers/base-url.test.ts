import { expect, it } from 'vitest';
import { isBaseUrl, normaliseBaseUrl } from './base-url';

it('keeps only the base of what was pasted', () => {
	expect(normaliseBaseUrl(' https://api.example.com/v1/ ')).toBe('https://api.example.com/v1');
	expect(normaliseBaseUrl('https://api.example.com/v1/chat/completions')).toBe('https://api.example.com/v1');
	expect(normaliseBaseUrl('https://api.anthropic.com/v1/messages')).toBe('https://api.anthropic.com/v1');
	expect(normaliseBaseUrl('http://10.0.0.5:8000/v1/models/')).toBe('http://10.0.0.5:8000/v1');
});

it('takes http and https, and nothing that hides a secret or a query', () => {
	expect(isBaseUrl('http://localhost:8000/v1')).toBe(true);
	expect(isBaseUrl('https://api.example.com')).toBe(true);
	expect(isBaseUrl('ftp://example.com')).toBe(false);
	expect(isBaseUrl('api.example.com/v1')).toBe(false);
	expect(isBaseUrl('https://user:secret@example.com')).toBe(false);
	expect(isBaseUrl('https://example.com?key=1')).toBe(false);
	expect(isBaseUrl('https://x.openai.azure.com?api-version=2024-10-21')).toBe(true);
	expect(isBaseUrl('https://x.openai.azure.com?api-version=1&key=1')).toBe(false);
	expect(isBaseUrl('https://gateway.example/bedrock?region=eu-west-1')).toBe(true);
	expect(isBaseUrl('https://gateway.example/bedrock?region=eu/west')).toBe(false);
});
