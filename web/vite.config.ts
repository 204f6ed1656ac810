import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';
import type { Plugin } from 'vite';

/** Every browser that can run the application reads woff2, so KaTeX's older font formats are not shipped. */
function woff2Only(): Plugin {
	return {
		name: 'woff2-only',
		enforce: 'pre',
		transform(code, id) {
			if (!/katex[^?]*\.css/.test(id)) return;
			return code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\([^)]*\)/g, '');
		}
	};
}

const server = process.env.STOA_DEV_SERVER ?? 'http://127.0.0.1:3210';

export default defineConfig({
	plugins: [
		woff2Only(),
		paraglideVitePlugin({
			project: './project.inlang',
			outdir: './src/lib/paraglide',
			strategy: ['localStorage', 'preferredLanguage', 'baseLocale'],
			emitTsDeclarations: true
		}),
		sveltekit()
	],
	worker: { format: 'es' },
	// The page's policy loads no font out of a style sheet, so nothing is put inline.
	build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
	server: {
		proxy: { '/api': { target: server }, '/v1': { target: server }, '/health': { target: server } }
	},
	test: {
		environment: 'happy-dom',
		include: ['src/**/*.test.ts'],
		restoreMocks: true,
		teardownTimeout: 2_000
	},
	resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined
});
