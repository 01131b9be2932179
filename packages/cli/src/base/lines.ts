import type { Readable } from 'node:stream'
import { CommandError, EXIT } from './exit-code.ts'

/** Far more than a message may have, and little enough for a stream that has no line ends to be noticed soon. */
const MAX_LINE_LENGTH = 1024 * 1024

/** A line of text, with its number from 1. */
export interface NumberedLine {
  readonly text: string
  readonly number: number
}

/**
 * Gives the lines of a text stream as they come, without empty ones, and reads on only when the next one is asked for.
 * Ends when `signal` aborts; what has come of a line by then is left out. Rejects when a line is longer than 1 MiB.
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
    // A stream that is destroyed while it is read says that it closed too early.
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Takes away the byte order mark that some editors put before a text. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '')
}

function tooLong(number: number): CommandError {
  return new CommandError(`Line ${number} is longer than 1 MiB; is it NDJSON?`, EXIT.refused)
}
