/**
 * Gives the path of a URL as it was sent, undecoded: a name may hold an encoded slash. Only what follows
 * `basePath` counts; anything outside it has no path.
 */
export function rawPathOf(url: string, basePath: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start === -1) return '/'
  const path = url.slice(start, endOfPath(url, start))
  if (basePath === '') return path
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : ''
}

function endOfPath(url: string, start: number): number {
  for (let index = start; index < url.length; index++) {
    const character = url.charCodeAt(index)
    if (character === 63 /* ? */ || character === 35 /* # */) return index
  }
  return url.length
}
