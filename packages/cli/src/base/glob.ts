/** Makes a test of names from a pattern: `*` matches any text, `?` one character. Without a pattern all names match. */
export function globOf(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true
  const wanted = [...pattern]
  return (name) => fits([...name], wanted)
}

/**
 * Matches names of other programs in at most name length times pattern length steps, which a regular expression does not
 * guarantee: on a mismatch only the last star takes one more character.
 */
function fits(name: readonly string[], pattern: readonly string[]): boolean {
  let [at, inPattern] = [0, 0]
  let [star, takenTo] = [-1, 0]
  while (at < name.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++
      takenTo = at
    } else if (pattern[inPattern] === '?' || pattern[inPattern] === name[at]) {
      inPattern += 1
      at += 1
    } else if (star >= 0) {
      inPattern = star + 1
      at = ++takenTo
    } else {
      return false
    }
  }
  return pattern.slice(inPattern).every((character) => character === '*')
}
