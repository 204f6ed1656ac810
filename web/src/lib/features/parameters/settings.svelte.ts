import { Problem, type Conversation, type Parameters } from '$lib/api';
import { conversations } from '$lib/features/conversations';

/** Moving a slider makes many values; only the one it rests on is kept. */
const SETTLED_MS = 400;

type Changed = Partial<Pick<Conversation, 'role' | 'parameters' | 'model'>>;

/** Role, parameters and model of one conversation, or of one that is not made yet: shown at once, saved when they rest. */
export class TurnSettings {
	role = $state('');
	parameters = $state.raw<Parameters>({});
	model = $state<string | null>(null);
	problem = $state.raw<Problem | null>(null);
	#conversation: string | null = null;
	#unsaved: Changed = {};
	/** On its way to the server: what the stream says meanwhile may be older. */
	#saving: Changed = {};
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Takes what the server has, except what is being changed here. */
	take(conversation: Conversation): void {
		this.#conversation = conversation.id;
		this.begin(conversation);
	}

	/** Takes what a conversation that is not made yet will begin with, except what was changed here. */
	begin(conversation: Pick<Conversation, 'role' | 'parameters' | 'model'>): void {
		const own = { ...this.#saving, ...this.#unsaved };
		if (!('role' in own)) this.role = conversation.role;
		if (!('parameters' in own)) this.parameters = conversation.parameters;
		if (!('model' in own)) this.model = conversation.model ?? this.model;
	}

	setRole(role: string): void {
		this.role = role;
		this.#later({ role });
	}

	setParameter<Name extends keyof Parameters>(name: Name, value: Parameters[Name] | null): void {
		const { [name]: _before, ...rest } = this.parameters;
		this.parameters = value === null ? rest : { ...rest, [name]: value };
		this.#later({ parameters: this.parameters });
	}

	setModel(model: string): void {
		this.model = model;
		this.#later({ model });
	}

	/** Saves what is not saved yet, now. */
	async flush(): Promise<void> {
		clearTimeout(this.#timer);
		const change = this.#unsaved;
		if (!this.#conversation || Object.keys(change).length === 0) return;
		this.#unsaved = {};
		this.#saving = { ...this.#saving, ...change };
		try {
			await conversations.change(this.#conversation, change);
			this.problem = null;
		} catch (caught) {
			this.#unsaved = { ...change, ...this.#unsaved };
			this.problem = Problem.from(caught);
		} finally {
			this.#saving = {};
		}
	}

	#later(change: Changed): void {
		this.#unsaved = { ...this.#unsaved, ...change };
		if (!this.#conversation) return;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.flush(), SETTLED_MS);
	}
}
