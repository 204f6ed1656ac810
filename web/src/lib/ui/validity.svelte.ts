// The browser checks `required`, `type`, lengths; this says the result in the page's own language, in the field's own place.
import { m } from '$lib/i18n';

/** Why the browser refuses a field, in words. */
export function faultOf(
	field: Pick<HTMLInputElement, 'validity' | 'type' | 'minLength'>,
	name: string
): string {
	const { validity } = field;
	if (validity.valueMissing) return m.ui_fault_missing({ name });
	if (validity.tooShort) return m.ui_fault_short({ count: field.minLength });
	if (validity.tooLong) return m.ui_fault_long();
	return validity.typeMismatch && field.type === 'email' ? m.ui_fault_email() : m.ui_fault_form();
}

/** What the browser found wrong with one field. Cleared as soon as the reader changes it. */
export class Validity {
	fault = $state('');
	readonly #name: () => string;

	constructor(name: () => string) {
		this.#name = name;
	}

	/** For `oninvalid`: shows the fault in place of the browser's bubble, and leads to the first such field of the form. */
	invalid = (event: Event) => {
		event.preventDefault();
		// Text areas and selects have what is read here as far as it can be wrong with them.
		const field = event.currentTarget as HTMLInputElement;
		this.fault = faultOf(field, this.#name());
		if (field.form?.querySelector(':invalid:not(fieldset)') === field) field.focus();
	};

	/** For `oninput`. */
	changed = () => {
		this.fault = '';
	};
}
