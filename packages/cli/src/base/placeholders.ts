const PLACEHOLDER = /\{\{([^{}]*)\}\}/

/** Splits a text at its placeholders `{{…}}`: keeps the text between them, and replaces each placeholder by `read`. */
export function partsOf<Part>(text: string, read: (placeholder: string) => Part): (string | Part)[] {
  // When splitting by a pattern with a group every second piece is the group.
  return text.split(PLACEHOLDER).map((piece, index) => (index % 2 === 0 ? piece : read(piece)))
}
