import type { Readable } from 'node:stream'
import { CommandError, EXIT } from './exit-code.ts'

/** Far longer than a message can be, yet short enough to detect a stream without line ends early. */
const MAX_LINE_LENGTH = 1024 * 1024

/** A line of text, with its number from 1. */
export interface NumberedLine {
  readonly text: string
  readonly number: number
}

/**
 * Iterates over the non-empty lines of a text stream, reading on demand. Ends when `signal` aborts, without an
 * incomplete line. Rejects when a line is longer than 1 MiB.
 */
export async function* linesOf(input: Readable, signal: AbortSignal): AsyncGenerator<NumberedLine, void> {
  input.setEncoding('utf8')
  const leave = () => void input.destroy()
  signal.addEventListener('abort', leave, { once: true })
  let rest = ''
  let number = 0
  try {
    for await (const chunk of input) {
      const texts = `${rest}${chunk}`.split('\n')
      rest = texts.pop() as string
      for (const text of texts) {
        number += 1
        if (signal.aborted) return
        if (text.trim() !== '') yield { text: number === 1 ? withoutMark(text) : text, number }
      }
      if (rest.length > MAX_LINE_LENGTH) throw tooLong(number + 1)
    }
    if (rest.trim() !== '') yield { text: number === 0 ? withoutMark(rest) : rest, number: number + 1 }
  } catch (error) {
    // A stream destroyed while it is read throws a premature close.
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Removes the byte order mark that some editors put before a text. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '')
}

function tooLong(number: number): CommandError {
  return new CommandError(`Line ${number} is longer than 1 MiB; is it NDJSON?`, EXIT.refused)
}
