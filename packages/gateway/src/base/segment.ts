/** Decodes one part of a URL, or gives `undefined` when it is not percent-encoded UTF-8. `+` stays `+`. */
export function decodeSegment(segment: string): string | undefined {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
