/**
 * Controls, what is not seen (such as marks of direction), separators of lines, and combining marks beyond three in a row,
 * which grow over the lines above.
 */
const UNSEEMLY = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?<=\p{M}{3})\p{M}/gu

/** Shows such characters as escapes: what others wrote must not move the cursor, hide, or make lines of its own. */
export function printable(text: string): string {
  return text.replace(UNSEEMLY, (character) => {
    // Those of UTF-16, as JSON has them.
    return Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
    }).join('')
  })
}
