export type AuthorityFault = 'empty' | 'url' | 'port' | 'form';

/** What is wrong with a `host:port` as typed, or null. IPv6 addresses stand in brackets. */
export function authorityFault(text: string): AuthorityFault | null {
	if (text === '') return 'empty';
	if (text.includes('/') || text.includes('@')) return 'url';
	const match = /^(\[[0-9a-fA-F:.]+\]|[^:\s[\]]+)(?::(\d+))?$/.exec(text);
	if (!match) return 'form';
	const port = Number(match[2] ?? 0);
	return Number.isInteger(port) && port >= 1 && port <= 65_535 ? null : 'port';
}
