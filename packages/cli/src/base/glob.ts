/** Makes a test of names from a pattern: `*` stands for any text, `?` for one character. Without a pattern all fit. */
export function globOf(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true
  const source = [...pattern].map((character) => {
    if (character === '*') return '.*'
    return character === '?' ? '.' : character.replace(/[\\^$.|+()[\]{}/]/, '\\$&')
  })
  const expression = new RegExp(`^${source.join('')}$`, 'su')
  return (name) => expression.test(name)
}
