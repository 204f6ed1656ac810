import { createRawSnippet, flushSync, mount, unmount, type Component } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';
import Button from './Button.svelte';
import ProblemPanel from './ProblemPanel.svelte';
import Switch from './Switch.svelte';
import Table from './Table.svelte';
import TextField from './TextField.svelte';

let mounted: Record<string, unknown> | undefined;

/** Each component has its own type of props, so they are told apart only by what the test gives them. */
function show(component: unknown, props: Record<string, unknown>): HTMLElement {
	mounted = mount(component as Component<Record<string, unknown>>, { target: document.body, props });
	flushSync();
	return document.body;
}

const text = (words: string) => createRawSnippet(() => ({ render: () => `<span>${words}</span>` }));

afterEach(() => {
	if (mounted) void unmount(mounted);
	mounted = undefined;
	document.body.replaceChildren();
});

describe('Button', () => {
	it('refuses presses while busy, but keeps the focus', () => {
		const onclick = vi.fn();
		const button = show(Button, { busy: true, onclick, children: text('Save') }).querySelector('button');
		button?.click();
		expect(onclick).not.toHaveBeenCalled();
		expect(button?.disabled).toBe(false);
		expect(button?.getAttribute('aria-busy')).toBe('true');
	});

	it('is a link when it leads somewhere', () => {
		const link = show(Button, { href: '/settings', children: text('Settings') }).querySelector('a');
		expect(link?.getAttribute('href')).toBe('/settings');
	});
});

describe('TextField', () => {
	it('ties hint and error to the input', () => {
		const input = show(TextField, { label: 'Slug', hint: 'Small letters.', error: 'Taken.' }).querySelector(
			'input'
		);
		const described = (input?.getAttribute('aria-describedby') ?? '').split(' ');
		const words = described.map((id) => document.getElementById(id)?.textContent.trim());
		expect(words).toEqual(['Taken.', 'Small letters.']);
		expect(input?.getAttribute('aria-invalid')).toBe('true');
		expect(document.querySelector('label')?.getAttribute('for')).toBe(input?.id);
	});

	it('shows what the browser refuses in its own place, until it is changed', () => {
		const input = show(TextField, { label: 'Slug', required: true }).querySelector('input');
		input?.dispatchEvent(new Event('invalid', { cancelable: true }));
		flushSync();
		expect(document.body.textContent).toContain('Slug: please fill this in.');
		input?.dispatchEvent(new Event('input', { bubbles: true }));
		flushSync();
		expect(document.body.textContent).not.toContain('please fill this in');
	});
});

describe('ProblemPanel', () => {
	it('says what happened and what to do, with the request id and a way to try again', async () => {
		const onretry = vi.fn();
		const problem = {
			code: 'provider_refused',
			title: 'Bad Gateway',
			detail: 'The credit is used up.',
			requestId: 'req-7'
		};
		const panel = show(ProblemPanel, { problem, onretry }).querySelector('[role="alert"]');
		// The words come when there is a first problem.
		await vi.waitFor(() => expect(panel?.textContent).toContain('The provider refused the request'));
		expect(panel?.textContent).toContain('The credit is used up.');
		expect(panel?.textContent).toContain('req-7');
		[...document.querySelectorAll('button')]
			.find((button) => button.textContent.includes('Try again'))
			?.click();
		expect(onretry).toHaveBeenCalledOnce();
	});
});

describe('Switch', () => {
	it('says its state and tells of changes', () => {
		const onchange = vi.fn();
		const button = show(Switch, { label: 'Enabled', checked: false, onchange }).querySelector(
			'[role="switch"]'
		);
		(button as HTMLButtonElement).click();
		flushSync();
		expect(onchange).toHaveBeenCalledWith(true);
		expect(button?.getAttribute('aria-checked')).toBe('true');
	});
});

describe('Table', () => {
	it('keeps its meaning when rows are stacked: roles, and the heading beside each value', () => {
		show(Table, {
			label: 'Keys',
			columns: [
				{ key: 'name', label: 'Name' },
				{ key: 'used', label: 'Last used' }
			],
			rows: [{ name: 'nightly', used: 'never' }],
			rowKey: (row: { name: string }) => row.name,
			cell: createRawSnippet((row: () => Record<string, string>, key: () => string) => ({
				render: () => `<span>${row()[key()] ?? ''}</span>`
			}))
		});
		expect(document.querySelector('[role="table"]')?.getAttribute('aria-label')).toBe('Keys');
		expect(document.querySelector('[role="rowheader"]')?.textContent).toBe('nightly');
		expect(document.querySelector('[role="cell"]')?.getAttribute('data-label')).toBe('Last used');
	});
});
