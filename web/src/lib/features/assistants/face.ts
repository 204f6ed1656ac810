import type { AssistantProfile } from '$lib/api';

export type Face = Pick<AssistantProfile, 'name' | 'avatar' | 'background'> & {
	id?: string;
	/** The version of the picture that is the face of the assistant with this id. */
	picture?: string | null;
	/** The address of a picture that is not kept yet. */
	preview?: string;
};

/** Where the picture of a face is, if it has one. */
export function pictureOf({ id, picture, preview }: Face): string | undefined {
	return preview ?? (id && picture ? `/api/v1/assistants/${id}/picture?v=${picture}` : undefined);
}

/** What is drawn on the colour: the emoji, or else the first letter of the name. */
export function signOf({ avatar, name }: Face): string {
	return avatar || ([...name.trim()][0] ?? '?').toLocaleUpperCase();
}

/** Dark letters on light colours and light ones on dark (WCAG 2.2, relative luminance); those of the page without a colour. */
export function inkOn(background: string | undefined): string | undefined {
	if (!background) return undefined;
	const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
		const share = Number.parseInt(background.slice(at, at + 2), 16) / 255;
		return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
	});
	// Where black and white are equally far away.
	return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#1d1c19' : '#ffffff';
}
