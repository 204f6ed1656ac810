export { default as NewPasswordField } from './NewPasswordField.svelte';
export { generatePassword, SHORTEST } from './password';
export { restOf } from './rest';
export { waitInWords } from './wait';
