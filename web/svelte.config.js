import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** The version is what was built, not when: the same sources make the same files. */
function contentHash() {
	const hash = createHash('sha256');
	const visit = (/** @type {string} */ path) => {
		if (path.endsWith('paraglide')) return;
		if (statSync(path).isDirectory()) {
			for (const name of readdirSync(path).sort()) visit(join(path, name));
		} else {
			hash.update(path).update('\0').update(readFileSync(path)).update('\0');
		}
	};
	for (const path of ['src', 'static', 'messages', 'package-lock.json']) visit(path);
	return hash.digest('hex').slice(0, 16);
}

/** @type {import('@sveltejs/kit').Config} */
const config = {
	preprocess: vitePreprocess(),
	compilerOptions: { runes: ({ filename }) => (filename.includes('node_modules') ? undefined : true) },
	kit: {
		// Hashed files live under /assets/immutable/, so that the server can tell them from pages by their path alone.
		appDir: 'assets',
		adapter: adapter({ fallback: 'index.html', precompress: true }),
		version: { name: contentHash() }
	}
};

export default config;
