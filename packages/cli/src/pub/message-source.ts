import { setTimeout as delay } from 'node:timers/promises'
import { linesOf } from '../base/lines.ts'
import { standardInput } from '../base/standard-input.ts'
import { templateOf } from './template.ts'

/** Options of the source of messages. */
export interface SourceOptions {
  /** The message's text with placeholders; if undefined, lines of standard input. */
  readonly text: string | undefined
  /** The number of messages; by default one of a text, and all of an input. With `everyMs` a text is repeated forever. */
  readonly count: number | undefined
  /** Milliseconds from one message to the next. */
  readonly everyMs: number | undefined
}

/** A message's text. */
export interface SourceText {
  readonly text: string
  /** Its name in warnings, such as `line 3`; empty for a single message. */
  readonly place: string
}

/** Yields the texts of messages when they are due. Ends when `signal` aborts. */
export async function* messageTexts(
  options: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<SourceText, void> {
  const { text, everyMs, count } = options
  const most = count ?? (text === undefined || everyMs !== undefined ? Infinity : 1)
  const texts = text === undefined ? inputTexts(signal) : templateTexts(text, most === 1)
  let given = 0
  for await (const next of paced(texts, everyMs, signal)) {
    if (signal.aborted) return
    yield next
    given += 1
    if (given >= most) return
  }
}

async function* inputTexts(signal: AbortSignal): AsyncGenerator<SourceText, void> {
  for await (const { text, number } of linesOf(standardInput(), signal))
    yield { text, place: `line ${number}` }
}

function* templateTexts(text: string, isOne: boolean): Generator<SourceText, void> {
  const template = templateOf(text)
  for (let n = 1; ; n++) yield { text: template(n), place: isOne ? '' : `message ${n}` }
}

/** Waits before each message but the first. A late message delays later ones: there is no burst to catch up. */
async function* paced(
  texts: AsyncIterable<SourceText> | Iterable<SourceText>,
  everyMs: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<SourceText, void> {
  let dueMs: number | undefined
  for await (const text of texts) {
    const nowMs = performance.now()
    if (everyMs !== undefined) {
      dueMs = Math.max(nowMs, dueMs ?? nowMs)
      // Rejects on abort; the caller checks the signal.
      if (dueMs > nowMs) await delay(dueMs - nowMs, undefined, { signal }).catch(() => {})
      dueMs += everyMs
    }
    yield text
  }
}
