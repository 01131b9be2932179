import stringWidth from 'string-width'

const CUT = '…'
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Cuts a text to `width` columns of a terminal. A cut text ends in `…`. */
export function cutToWidth(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let [cut, taken] = ['', stringWidth(CUT)]
  for (const { segment } of GRAPHEMES.segment(text)) {
    taken += stringWidth(segment)
    if (taken > width) break
    cut += segment
  }
  return `${cut}${CUT}`
}
