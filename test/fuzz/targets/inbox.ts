import assert from 'node:assert/strict'
import type { Message, RivuletError, StreamOptions } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { topicOf } from '../../../src/message/topic.ts'
import { HandMadeEnvironment } from '../../support/hand-made-environment.ts'
import { expectLaws } from '../../support/ledger-laws.ts'
import { ScriptedTransport } from '../../support/scripted-transport.ts'
import { assertClean, assertUnpolluted } from '../laws.ts'

const MAX_BYTES = 512
const LIMITS = [false, undefined, { ratePerSecond: 5, burst: 3 }, { ratePerSecond: 0, burst: 2 }] as const
const MAX_AGES = [5_000, 100, false] as const
const SEPARATOR = 0x0a
/** After so long without a message of a publisher a number that came is taken again, with a later time: it was forged. */
const MUTED_MS = 60_000

interface Heard {
  readonly message: Message
  readonly atMs: number
  /** The frame that it came with. */
  readonly frame: Buffer
}

/**
 * The first byte chooses options. Then lines: a byte for the time that passes, and a frame. Whatever comes, nothing is
 * thrown, the ledger adds up, no frame delivers a message again, no sid comes twice in a minute, and what is delivered is
 * clean.
 */
export async function fuzz(bytes: Buffer): Promise<void> {
  const environment = new HandMadeEnvironment()
  const transport = new ScriptedTransport()
  const [choice = 0] = bytes
  const hub = createHubIn(environment, { transport, acceptRemoval: choice % 2 === 0 })
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  const stream = hub.stream('scene', optionsOf(choice >> 1))
  const heard: Heard[] = []
  let frame: Buffer = Buffer.alloc(0)
  await stream.subscribe((message) => void heard.push({ message, atMs: environment.nowMs(), frame })).ready
  const topic = topicOf(hub.name, 'scene')
  for (const line of linesOf(bytes.subarray(1))) {
    await environment.pass((line[0] ?? 0) * 20)
    frame = line.subarray(1)
    transport.host.receive(topic, frame)
  }
  const ledger = hub.ledger()
  expectLaws(ledger)
  assert.equal(ledger.delivered, heard.length)
  checkRepeats(heard)
  for (const { message } of heard) checkMessage(message)
  for (const error of errors as RivuletError[]) {
    assert.match(error.code, /^(?:PAYLOAD_TOO_LARGE|RATE_LIMITED|NEWER_FORMAT)$/)
  }
  assertUnpolluted()
}

function optionsOf(choice: number): StreamOptions {
  const limit = LIMITS[choice % LIMITS.length]
  const maxAgeMs = MAX_AGES[(choice >> 2) % MAX_AGES.length] as number | false
  return { ...(limit === undefined ? {} : { limit }), maxAgeMs, maxBytes: MAX_BYTES }
}

function checkRepeats(heard: readonly Heard[]): void {
  const last = new Map<string, Heard>()
  for (const one of heard) {
    const before = last.get(one.message.sid)
    last.set(one.message.sid, one)
    if (before === undefined) continue
    assert.ok(one.atMs - before.atMs > MUTED_MS, 'a sid came twice in a minute')
    assert.ok(!one.frame.equals(before.frame), 'a repeated frame was delivered')
  }
}

function checkMessage(message: Message): void {
  assert.ok(Object.isFrozen(message) && !message.isLocal)
  assert.match(message.sid, /^TZ[0-9a-f]{32}$/)
  assertClean(message.data)
  assert.ok(Buffer.byteLength(JSON.stringify(message.data)) <= MAX_BYTES, 'it is too large')
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let start = 0, end = 0; start < bytes.length && lines.length < 20; start = end + 1) {
    end = bytes.indexOf(SEPARATOR, start)
    if (end < 0) end = bytes.length
    lines.push(bytes.subarray(start, end))
  }
  return lines
}
