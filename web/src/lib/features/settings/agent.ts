export interface Device {
	/** Browser or program, as it calls itself. */
	program: string;
	system: string;
	handheld: boolean;
}

// The order matters: most browsers also claim to be Chrome and Safari.
const programs: [RegExp, string][] = [
	[/MicroMessenger\//, 'WeChat'],
	[/Edg(?:e|A|iOS)?\//, 'Edge'],
	[/OPR\//, 'Opera'],
	[/SamsungBrowser\//, 'Samsung Internet'],
	[/(?:Firefox|FxiOS)\//, 'Firefox'],
	[/(?:Chrome|CriOS|Chromium)\//, 'Chrome'],
	[/Version\/.*Safari\//, 'Safari']
];
const systems: [RegExp, string][] = [
	[/HarmonyOS|OpenHarmony/, 'HarmonyOS'],
	[/Android/, 'Android'],
	[/iPhone|iPod/, 'iOS'],
	[/iPad/, 'iPadOS'],
	[/Windows/, 'Windows'],
	[/CrOS/, 'ChromeOS'],
	[/Mac OS X|Macintosh/, 'macOS'],
	[/Linux|X11/, 'Linux']
];

/** What a `User-Agent` line says about the device, for the list of sessions. Unknown parts are empty. */
export function describeAgent(userAgent: string | null): Device {
	const text = userAgent ?? '';
	const program = programs.find(([pattern]) => pattern.test(text))?.[1];
	const system = systems.find(([pattern]) => pattern.test(text))?.[1] ?? '';
	// Programs such as curl say "name/version" first.
	const own = /^([\w.-]+)\//.exec(text)?.[1];
	return {
		program: program ?? (own && own !== 'Mozilla' ? own : ''),
		system,
		handheld: /Mobile|Android|iPhone|iPad|HarmonyOS/.test(text)
	};
}
