export interface TableColumn {
	key: string;
	label: string;
	align?: 'start' | 'end';
	/** Figures, addresses and identifiers. */
	mono?: boolean;
	width?: string;
}
