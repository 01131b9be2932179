import assert from 'node:assert/strict'
import { hubNameOf, readTopic, streamNameOf, topicOf } from '../../../src/message/topic.ts'

const HUB = /^[A-Za-z0-9_-]{1,64}$/
const TOPIC = /^rivulet\/[A-Za-z0-9_-]{1,64}\/((?:[A-Za-z0-9_-]|%[0-9A-F]{2})+)$/
const SID = /^[A-Z]{2}[a-f0-9]{32}$/
const BARE = /^[A-Za-z0-9_-]$/
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The bytes are lines: a hub and a stream, a hub and a stream, and then texts that may be topics. Topics of different
 * names differ, give the names back, and are the only texts that are read.
 */
export function fuzz(bytes: Buffer): void {
  const [hub = '', name = '', otherHub = '', otherName = '', ...texts] = linesOf(bytes)
  const topic = madeOf(hub, name)
  const other = madeOf(otherHub, otherName)
  if (topic !== undefined && other !== undefined) {
    assert.equal(topic === other, hub === otherHub && name === otherName, 'two pairs of names share a topic')
  }
  for (const text of [...texts, name, `rivulet/${hub}/${name}`, topic ?? '']) {
    const isRead = readTopic(text) !== undefined
    assert.equal(isRead, isTopic(text), `readTopic is wrong about ${JSON.stringify(text)}`)
  }
}

/** The first byte says whether the rest is UTF-8 or UTF-16, which has lone surrogates. */
function linesOf(bytes: Buffer): string[] {
  return bytes.toString(bytes[0] === 0x16 ? 'utf16le' : 'utf8', 1).split('\n')
}

function madeOf(hub: string, name: string): string | undefined {
  if (!HUB.test(hub) || !isName(name)) return undefined
  const topic = topicOf(hub, name)
  assert.match(topic, TOPIC)
  assert.equal(hubNameOf(topic), hub)
  assert.equal(streamNameOf(topic), name)
  assert.equal(readTopic(topic), topic)
  return topic
}

/** A topic by its grammar, decoded by hand. */
function isTopic(text: string): boolean {
  const [, encoded] = TOPIC.exec(text) ?? []
  if (encoded === undefined) return false
  const pieces = encoded.match(/%..|./g) ?? []
  const decoded = pieces.map((piece) =>
    piece.length === 1 ? piece.charCodeAt(0) : Number.parseInt(piece.slice(1), 16),
  )
  // What may stand bare is never encoded.
  if (
    pieces.some(
      (piece, index) => piece.length > 1 && BARE.test(String.fromCharCode(decoded[index] as number)),
    )
  ) {
    return false
  }
  try {
    return isName(strict.decode(Uint8Array.from(decoded)))
  } catch {
    return false
  }
}

function isName(name: string): boolean {
  if (name.length < 1 || name.length > 320 || SID.test(name)) return false
  return Buffer.from(name).toString() === name
}
