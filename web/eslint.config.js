import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

const throughIndex = {
	regex: '^\\$lib/(features|ui)/[^/]+/.+',
	message: 'Import a feature through its index, not through its files.'
};

export default ts.config(
	{
		ignores: [
			'build/',
			'.svelte-kit/',
			'src/lib/paraglide/',
			'src/lib/api/schema.ts',
			'node_modules/',
			'e2e/output/'
		]
	},
	js.configs.recommended,
	...ts.configs.strict,
	...svelte.configs.recommended,
	{
		languageOptions: { globals: { ...globals.browser, ...globals.node } },
		rules: {
			'no-undef': 'off',
			eqeqeq: ['error', 'always', { null: 'ignore' }],
			'no-console': 'error',
			'max-lines': ['error', { max: 400, skipBlankLines: true }],
			'no-restricted-imports': ['error', { patterns: [throughIndex] }],
			'no-restricted-globals': [
				'error',
				{ name: 'fetch', message: 'Use the client in $lib/api, which knows the session and the problems.' },
				{ name: 'EventSource', message: 'Use the one shared stream in $lib/features/stream.' }
			],
			'@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
			'svelte/no-at-html-tags': 'error',
			'svelte/no-navigation-without-resolve': 'off'
		}
	},
	{
		// Calls providers that are not ours: no session and no problem document is to be had there.
		files: ['src/lib/features/browser-calls/fault.ts'],
		rules: { 'no-restricted-globals': 'off' }
	},
	{
		files: ['**/*.svelte', '**/*.svelte.ts'],
		languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } }
	},
	{
		files: ['**/*.svelte'],
		rules: { 'max-lines': ['error', { max: 300 }] }
	},
	{
		// A feature is flat: what lies above its folder is reached by name, so that edges between features can be seen.
		files: ['src/lib/features/**'],
		rules: {
			'no-restricted-imports': [
				'error',
				{
					patterns: [
						throughIndex,
						{ regex: '^\\.\\./', message: 'Import other features by $lib/features/name.' }
					]
				}
			]
		}
	},
	{
		files: ['e2e/**'],
		rules: { 'no-console': 'off', 'no-restricted-globals': 'off', 'max-lines': 'off' }
	}
);
