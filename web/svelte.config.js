import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
const config = {
	preprocess: vitePreprocess(),
	compilerOptions: { runes: ({ filename }) => (filename.includes('node_modules') ? undefined : true) },
	kit: {
		// Hashed files live under /assets/immutable/, so that the server can tell them from pages by their path alone.
		appDir: 'assets',
		adapter: adapter({ fallback: 'index.html', precompress: true })
	}
};

export default config;
