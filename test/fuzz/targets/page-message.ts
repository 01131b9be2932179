import assert from 'node:assert/strict'
import { readHello } from '../../../packages/gateway/src/pages/hello.ts'
import {
  decode,
  encodeNumbered,
  encodeText,
  encodeTopical,
  KIND,
  objectOf,
  textOf,
} from '../../../packages/websocket/src/base/protocol.ts'

const KINDS: ReadonlySet<number> = new Set(Object.values(KIND))

/** A message of the protocol of pages is read as the bytes that its writers write of it, or is none. */
export function fuzz(bytes: Buffer): void {
  const message = decode(bytes)
  if (message === undefined) return assert.ok(!isMessage(bytes), 'it refuses a message')
  const { kind, id, topic, rest } = message
  const text = textOf(rest)
  if (id > 0 && text !== undefined) assert.deepEqual(encodeNumbered(kind, id, text), Uint8Array.from(bytes))
  else if (topic !== '') assert.deepEqual(encodeTopical(kind, topic, rest), Uint8Array.from(bytes))
  else if (rest.length === bytes.length - 1 && text !== undefined) {
    assert.deepEqual(encodeText(kind, text), Uint8Array.from(bytes))
  }
  const value = objectOf(rest)
  assert.ok(value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value)))
  readHello(rest)
}

/** Numbers have four bytes; topics two for their length, and are UTF-8. */
function isMessage(bytes: Buffer): boolean {
  const [kind = 0] = bytes
  if (!KINDS.has(kind)) return false
  const numbered: number[] = [KIND.join, KIND.barrier, KIND.joined, KIND.refused]
  const topical: number[] = [KIND.leave, KIND.frame, KIND.left, KIND.fault]
  if (numbered.includes(kind)) return bytes.length >= 5
  if (!topical.includes(kind)) return true
  if (bytes.length < 3) return false
  const topic = bytes.subarray(3, 3 + bytes.readUInt16BE(1))
  return topic.length === bytes.readUInt16BE(1) && Buffer.from(topic.toString()).equals(topic)
}
