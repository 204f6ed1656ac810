import { describe, expect, it } from 'vitest';
import { isName, modelName } from './name';

describe('the name of a model', () => {
	it.each([
		[' qwen3:4b ', 'qwen3:4b'],
		['ollama run llama3.2:3b', 'llama3.2:3b'],
		['ollama pull hf.co/a/b:Q4_K_M', 'hf.co/a/b:Q4_K_M'],
		['stoa model pull mistral', 'mistral'],
		['https://ollama.com/library/qwen3:8b', 'qwen3:8b'],
		['https://ollama.com/someone/their-model?sort=new', 'someone/their-model'],
		[
			'https://huggingface.co/bartowski/Llama-3.2-3B-Instruct-GGUF/tree/main',
			'hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF'
		],
		['https://huggingface.co/', ''],
		['registry.example.com:5000/team/model:v1', 'registry.example.com:5000/team/model:v1']
	])('is found in %s', (typed, name) => expect(modelName(typed)).toBe(name));

	it.each([
		['llama', false],
		['llama 3b: small', false],
		['qwen3:4b', true],
		['team/model', true],
		['ollama run llama3.2', true]
	])('%s is one: %s', (typed, is) => expect(isName(typed)).toBe(is));
});
