export { catalogue, modelName } from './catalogue.svelte';
export { default as ModelPicker } from './ModelPicker.svelte';
