import type { Output } from './output.ts'

const MOST_TOLD = 10

/** Makes a function that warns of the first ten of many `things`, and then says that the others are only counted. */
export function warnFirst(output: Output, things: string): (text: string) => void {
  let told = 0
  return (text) => {
    told += 1
    if (told <= MOST_TOLD) output.warn(text)
    if (told === MOST_TOLD) output.warn(`Further ${things} are only counted.`)
  }
}
