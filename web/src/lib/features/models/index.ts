export { catalogue, modelName } from './catalogue.svelte';
export { shortTokens } from './listing';
export { default as ModelPicker } from './ModelPicker.svelte';
