// Every number that is too large for a double has a longer exponent, or some 300 digits; so have a few that are not.
const MAY_OVERFLOW = /[eE]\+?0*\d{2}|\d{250}/

/**
 * Parses JSON. Throws `SyntaxError` also for a number that no double holds, like `1e400`: `JSON.parse` makes
 * `Infinity` of it, which would be published as `null`.
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (MAY_OVERFLOW.test(text) && hasInfinity(value)) throw new SyntaxError('A number is too large.')
  return value
}

/** Without recursion: what is parsed here may be nested deeper than the stack reaches. */
function hasInfinity(root: unknown): boolean {
  const left = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (value === Infinity || value === -Infinity) return true
    if (typeof value === 'object' && value !== null) left.push(...Object.values(value))
  }
  return false
}
