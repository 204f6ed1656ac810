import { expect, it } from 'vitest';
import { Problem } from '$lib/api';
import { Resource } from './resource.svelte';

it('keeps what it has while it loads again, and says what went wrong', async () => {
	const answers = [() => Promise.resolve(1), () => Promise.reject(new Problem({ code: 'internal' }, 500))];
	const resource = new Resource(() => answers.shift()?.() ?? Promise.resolve(3));
	expect(resource.data).toBeNull();
	await Promise.resolve();
	await Promise.resolve();
	expect(resource.data).toBe(1);
	await resource.load();
	expect(resource.data).toBe(1);
	expect(resource.problem?.code).toBe('internal');
	await resource.load();
	expect(resource.problem).toBeNull();
	expect(resource.data).toBe(3);
});

it('forgets the answer of an earlier round', async () => {
	const waiting: ((value: number) => void)[] = [];
	const resource = new Resource(() => new Promise<number>((resolve) => waiting.push(resolve)));
	const second = resource.load();
	waiting[1]?.(2);
	await second;
	waiting[0]?.(1);
	await Promise.resolve();
	expect(resource.data).toBe(2);
});
