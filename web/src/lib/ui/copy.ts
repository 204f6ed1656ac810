/** Copies text. On plain HTTP browsers withhold the clipboard interface, so a hidden field and the old command serve there. */
export async function copyText(text: string, from?: HTMLElement): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyBySelection(text, from);
	}
}

function copyBySelection(text: string, from?: HTMLElement): boolean {
	const field = document.createElement('textarea');
	field.value = text;
	field.readOnly = true;
	field.style.position = 'fixed';
	field.style.opacity = '0';
	// Inside a modal dialog everything outside is inert, so the field must live beside the button.
	(from?.closest('dialog') ?? document.body).append(field);
	field.select();
	try {
		// Deprecated, but the only way without a secure context.
		return document.execCommand('copy');
	} catch {
		return false;
	} finally {
		field.remove();
		from?.focus();
	}
}
