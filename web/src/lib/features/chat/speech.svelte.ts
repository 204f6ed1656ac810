/** Reads one message at a time aloud, by the browser's own voice: nothing leaves the machine that the browser does not send. */
class Speech {
	/** The message that is being read. */
	reading = $state<string | null>(null);
	readonly possible = 'speechSynthesis' in globalThis;

	toggle(message: string, markdown: string): void {
		if (this.reading === message) this.stop();
		else void this.#read(message, markdown);
	}

	stop(): void {
		this.reading = null;
		if (this.possible) speechSynthesis.cancel();
	}

	async #read(message: string, markdown: string): Promise<void> {
		this.stop();
		this.reading = message;
		const { utterances, voiceFor } = await import('./utterances');
		// Stopped meanwhile, or another one is read.
		if (this.reading !== message) return;
		const parts = utterances(markdown).map((text) => new SpeechSynthesisUtterance(text));
		const last = parts.at(-1);
		if (!last) return this.stop();
		const over = () => {
			if (this.reading === message) this.reading = null;
		};
		last.addEventListener('end', over);
		for (const part of parts) {
			const language = voiceFor(part.text);
			if (language) part.lang = language;
			// What was stopped by hand says so, too; then another one may be read already.
			part.addEventListener('error', over);
			speechSynthesis.speak(part);
		}
	}
}

export const speech = new Speech();
