export { default as NewPasswordField } from './NewPasswordField.svelte';
export { generatePassword, SHORTEST, strength } from './password';
export { waitInWords } from './wait';
