import { expect, it } from 'vitest';
import { utterances, voiceFor } from './utterances';

it('is read some sentences at a time, without the marks of Markdown', () => {
	const long = 'This sentence has about fifty letters and one more. '.repeat(12);
	const spoken = utterances(`# A title\n\n**First** of all, see [this](https://example.com). ${long}`);
	expect(spoken[0]).toMatch(/^A title First of all, see this\. This sentence/);
	expect(spoken.length).toBeGreaterThan(2);
	expect(spoken.every((text) => text.length < 300)).toBe(true);
	expect(spoken.join(' ').match(/This sentence/g)).toHaveLength(12);
});

it('says nothing of nothing, and does not cut a number in two', () => {
	expect(utterances(' \n\n---\n')).toEqual([]);
	expect(utterances('It is 3.5 metres.')).toEqual(['It is 3.5 metres.']);
});

it('gives Chinese to a Chinese voice', () => {
	expect(voiceFor('今天天气很好，我们去公园。')).toBe('zh-CN');
	expect(voiceFor('The word 你好 means hello.')).toBeNull();
	expect(utterances('你好。今天天气很好！')).toEqual(['你好。 今天天气很好！']);
});
