// The few comparisons that the browser tests need.
import { deepStrictEqual } from 'node:assert';

export function expect(actual) {
	const fail = (what, said) => {
		throw new Error(`${said ? `${said}: ` : ''}${what}`);
	};
	return {
		equals(wanted, said) {
			try {
				deepStrictEqual(actual, wanted);
			} catch {
				fail(`expected ${JSON.stringify(wanted)}, but got ${JSON.stringify(actual, null, '\t')}`, said);
			}
		},
		contains(wanted, said) {
			if (!actual.includes(wanted)) {
				fail(`expected ${JSON.stringify(wanted)} in ${JSON.stringify(actual)}`, said);
			}
		},
		atMost(wanted, said) {
			if (!(actual <= wanted)) fail(`expected at most ${wanted}, but got ${actual}`, said);
		}
	};
}
