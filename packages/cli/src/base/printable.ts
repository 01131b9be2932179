/**
 * Control characters, invisible ones (such as direction marks), line separators, and combining marks beyond three in a
 * row, which overlap the lines above.
 */
const UNSEEMLY = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?<=\p{M}{3})\p{M}/gu

/** Escapes such characters: text of other programs must not move the cursor, hide characters or add lines. */
export function printable(text: string): string {
  return text.replace(UNSEEMLY, (character) => {
    // UTF-16 escapes, as in JSON.
    return Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
    }).join('')
  })
}
