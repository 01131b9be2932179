/** Makes a test of names from a pattern: `*` stands for any text, `?` for one character. Without a pattern all fit. */
export function globOf(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true
  const wanted = [...pattern]
  return (name) => fits([...name], wanted)
}

/**
 * Names come from others, so it takes at most length times length steps, which a regular expression does not promise:
 * where a name does not fit, only the last star takes one character more.
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
