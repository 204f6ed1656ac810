import { Problem } from '$lib/api';
import { readFunction } from './api';
import type { FunctionDetails } from './types';

/** One function that a page shows. All parts of the page see, and give, the latest that the server said of it. */
export class OpenFunction {
	details = $state.raw<FunctionDetails | null>(null);
	problem = $state.raw<Problem | null>(null);
	readonly id: string;

	constructor(id: string) {
		this.id = id;
	}

	load = async (): Promise<void> => {
		this.problem = null;
		try {
			this.accept(await readFunction(this.id));
		} catch (caught) {
			this.problem = Problem.from(caught);
		}
	};

	/** Takes an answer of the server, unless a later one has come before it. */
	accept(details: FunctionDetails): void {
		if (this.details && details.revision < this.details.revision) return;
		this.details = details;
	}
}
