const PLACEHOLDER = /\{\{([^{}]*)\}\}/

/** Splits a text at its placeholders `{{…}}`: the texts between them stay, `read` replaces each placeholder. */
export function partsOf<Part>(text: string, read: (placeholder: string) => Part): (string | Part)[] {
  // Of a split by a pattern with a group, every second piece is the group.
  return text.split(PLACEHOLDER).map((piece, index) => (index % 2 === 0 ? piece : read(piece)))
}
