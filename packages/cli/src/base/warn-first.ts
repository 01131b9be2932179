import type { Output } from './output.ts'

const MAX_WARNINGS = 10

/** Makes a function that warns of the first ten of many `things`, and then that further ones are only counted. */
export function warnFirst(output: Output, things: string): (text: string) => void {
  let warned = 0
  return (text) => {
    warned += 1
    if (warned <= MAX_WARNINGS) output.warn(text)
    if (warned === MAX_WARNINGS) output.warn(`Further ${things} are only counted.`)
  }
}
