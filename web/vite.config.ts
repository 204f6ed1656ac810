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

/**
 * An index only passes names on. Said so, importing one name of it brings that part alone; otherwise every part with a style
 * sheet comes along, because a style sheet is an effect.
 */
function pureIndexes(): Plugin {
	return {
		name: 'pure-indexes',
		transform(code, id) {
			if (!/\/src\/lib\/(?:ui|features\/[^/]+)\/index\.ts$/.test(id)) return;
			return { code, map: null, moduleSideEffects: false };
		}
	};
}

/**
 * A compiled message is a function for each language and a third that chooses among them. Choosing is the same for all, and said
 * once it is a tenth of the first screen less.
 */
function shortMessages(): Plugin {
	const choice =
		/export const (\w+) = [^\n]*\(\(inputs(?: = \{\})?, options = \{\}\) => \{\n([\s\S]*?)\n\}\);/g;
	return {
		name: 'short-messages',
		apply: 'build',
		transform(code, id) {
			if (!/\/paraglide\/messages\/[^/]+\.js$/.test(id) || id.endsWith('/_index.js')) return;
			let found = 0;
			const short = code.replace(choice, (_whole, name: string, body: string) => {
				found++;
				const [others, base] = [/return (zh_\w+)\(/.exec(body)?.[1], /return (en_\w+)\(/.exec(body)?.[1]];
				if (!others || !base) this.error(`the message ${name} is not compiled as it was`);
				return `export const ${name} = /*#__PURE__*/ inLanguages(${base}, ${others});`;
			});
			if (found !== 1) this.error(`${id} has ${found} messages`);
			return { code: `import { inLanguages } from '$lib/in-languages';\n${short}`, map: null };
		}
	};
}

const everyPage = [
	/\/node_modules\/(?:svelte|@sveltejs|openapi-fetch)\//,
	/\/src\/lib\/(?:api\/|(?:i18n|in-languages|session\.svelte|theme\.svelte)\.ts$)/,
	/\/src\/lib\/ui\/(?:Button|CopyButton|EmptyState|IconButton|Menu|ProblemPanel|Skeleton|Toaster)\.svelte$/
];
const chat = [
	/\/src\/lib\/features\/(?:shell|stream|conversations|composer|models)\/(?!RenameDialog|LeaveZen|PickerList|ComposerMenu)/,
	/\/src\/lib\/features\/palette\/Palette\.svelte$/,
	/\/src\/lib\/features\/shortcuts\/(?:Help\.svelte|keys\.ts|shortcuts\.svelte\.ts)$/,
	/\/src\/lib\/features\/chat\/(?:ChatView|parts)/,
	/\/src\/lib\/features\/assistants\/(?:catalogue|face|parts|AssistantFace)/,
	/\/src\/lib\/features\/network\/(?:allow\.ts|AllowOffer)/,
	// Small things that two of the parts that come later share; each would be a file of its own.
	/\/icons\/(?:chevron-|play|rotate-cw)|\/paraglide\/registry|\/paraglide\/messages\/(?:cancel|tokens)\.js$/
];
/** Markdown is also what an assistant says first; a conversation that is there should not need two files for that. */
const messages = [/\/src\/lib\/features\/(?:markdown\/Markdown|chat\/MessageList)\.svelte$/];
/** The first script has the names of all style sheets that a page may need, so they are short. */
const assetFileNames = 'assets/immutable/assets/[hash][extname]';
const among = (patterns: RegExp[]) => (id: string) => patterns.some((pattern) => pattern.test(id));

/**
 * What every page needs is one file, the chat without its messages is another, and they are the third. By itself the
 * bundler makes forty small ones, whose heads and poorer compression cost more than what one page or the other has too much.
 */
function fewFiles(): Plugin {
	const groups = [
		{ name: 'base', test: among(everyPage), priority: 2 },
		{ name: 'chat', test: among(chat), priority: 1 },
		{ name: 'messages', test: among(messages), priority: 0 }
	];
	return {
		name: 'few-files',
		// SvelteKit builds a server too, to find out about the pages, and has said by now which of the two this is.
		config: ({ build }) =>
			build?.ssr
				? undefined
				: { build: { rolldownOptions: { output: { codeSplitting: { groups }, assetFileNames } } } }
	};
}

const server = process.env.STOA_DEV_SERVER ?? 'http://127.0.0.1:3210';

export default defineConfig({
	plugins: [
		woff2Only(),
		pureIndexes(),
		paraglideVitePlugin({
			project: './project.inlang',
			outdir: './src/lib/paraglide',
			strategy: ['localStorage', 'preferredLanguage', 'baseLocale'],
			emitTsDeclarations: true
		}),
		sveltekit(),
		shortMessages(),
		fewFiles()
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
