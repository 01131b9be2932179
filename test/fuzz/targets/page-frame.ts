import assert from 'node:assert/strict'
import { checkFrame } from '../../../packages/gateway/src/pages/frame-check.ts'
import {
  encodeMessage,
  encodeRemoval,
  joinMessages,
  MAX_MESSAGES_PER_FRAME,
} from '../../../src/message/frame.ts'
import { Message } from '../../../src/message/message.ts'
import { sidOf } from '../../../src/message/sid.ts'
import { depthOfJson, plainReading } from '../plain-frame.ts'

const MAX_BYTES = 3_000

/**
 * The check of a page's frame takes exactly what the core's writers write: a frame that is read by a plain reader and
 * written again is the same, byte for byte, and within the limits.
 */
export function fuzz(bytes: Buffer): void {
  const checked = checkFrame(bytes, MAX_BYTES)
  const written = writtenAgain(bytes)
  const isWritten = written !== undefined && bytes.equals(Buffer.from(written.text))
  if (typeof checked === 'string') {
    assert.ok(!isWritten || written.isTooLarge || written.prefixes.size > 1, `it refuses a frame: ${checked}`)
    return
  }
  assert.ok(isWritten && !written.isTooLarge, 'it takes what the library does not write')
  assert.deepEqual(written.prefixes, new Set([checked.prefix]))
  assert.equal(checked.messages, written.messages)
  assert.equal(checked.isRemoval, written.isRemoval)
}

interface Written {
  readonly text: string
  readonly prefixes: ReadonlySet<string>
  readonly messages: number
  readonly isRemoval: boolean
  readonly isTooLarge: boolean
}

function writtenAgain(bytes: Buffer): Written | undefined {
  const frame = plainReading(bytes)
  if (frame === undefined) return undefined
  if ('removedBy' in frame) {
    const { removedBy, tMs } = frame
    if (!isAge(tMs)) return undefined
    const text = encodeRemoval(sidOf(removedBy.origin, removedBy.sequence), tMs)
    return {
      text,
      prefixes: new Set([removedBy.origin.slice(0, 12)]),
      messages: 1,
      isRemoval: true,
      isTooLarge: false,
    }
  }
  const texts: string[] = []
  const prefixes = new Set<string>()
  let isTooLarge = false
  for (const entry of frame) {
    if (entry === 'newer' || entry?.sid === undefined || !isAge(entry.tMs)) return undefined
    const { data, sid, tMs, traceparent } = entry
    const json = JSON.stringify(data)
    if (depthOfJson(json) > 100) return undefined
    isTooLarge ||= Buffer.byteLength(json) > MAX_BYTES
    prefixes.add(sid.origin.slice(0, 12))
    texts.push(encodeMessage(new Message(data, true, sid.origin, sid.sequence, traceparent), data, tMs))
  }
  assert.ok(texts.length <= MAX_MESSAGES_PER_FRAME)
  return { text: joinMessages(texts), prefixes, messages: texts.length, isRemoval: false, isTooLarge }
}

/** Whole milliseconds, of 30 000 years at the most. */
function isAge(tMs: number | undefined): tMs is number {
  return tMs !== undefined && Number.isInteger(tMs) && tMs < 1e15
}
