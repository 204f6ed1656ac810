import { m } from '$lib/i18n';

/** Gives a sanitised piece what reading it needs: a head with the language and a copy button on code, room for wide tables. */
export function decorate(fragment: DocumentFragment): void {
	for (const pre of fragment.querySelectorAll('pre')) {
		const code = pre.querySelector('code');
		const language = /language-(\S+)/.exec(code?.className ?? '')?.[1] ?? '';
		pre.tabIndex = 0;
		const frame = document.createElement('div');
		frame.className = 'code';
		const head = document.createElement('div');
		head.className = 'code-head';
		const name = document.createElement('span');
		name.textContent = language || m.code_plain();
		const copy = document.createElement('button');
		copy.type = 'button';
		copy.className = 'code-copy';
		copy.dataset.copy = '';
		copy.textContent = m.copy();
		copy.setAttribute('aria-label', m.copy_code());
		head.append(name, copy);
		pre.replaceWith(frame);
		frame.append(head, pre);
	}
	for (const table of fragment.querySelectorAll('table')) {
		const frame = document.createElement('div');
		frame.className = 'table';
		frame.tabIndex = 0;
		table.replaceWith(frame);
		frame.append(table);
	}
	for (const box of fragment.querySelectorAll<HTMLInputElement>('input[type="checkbox"]')) {
		box.setAttribute('aria-label', box.checked ? m.task_done() : m.task_open());
		box.closest('li')?.classList.add('task');
	}
}
