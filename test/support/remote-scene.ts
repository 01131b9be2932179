import {
  createHub,
  type Hub,
  type HubOptions,
  type Ledger,
  type Message,
  type Stream,
  type StreamOptions,
} from 'rivulet'
import { expect, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { type Topic, topicOf } from '../../src/message/topic.ts'
import { ScriptedTransport } from './scripted-transport.ts'

/** An origin of another process. */
export const OTHER_ORIGIN = 'feedfacecafebeef'

/** A hub on a scripted transport with one stream that is subscribed and joined. Needs fake timers. */
export interface Scene {
  readonly hub: Hub
  readonly transport: ScriptedTransport
  readonly stream: Stream
  readonly topic: Topic
  /** What the subscriber got. */
  readonly heard: Message[]
  /** What the hub's `error` event carried. */
  readonly errors: unknown[]
  /** Hands over a frame: text, bytes, or something to be written as JSON. */
  receive(frame: unknown): void
  readonly data: unknown[]
  readonly ledger: Ledger
}

export async function openScene(
  streamOptions: StreamOptions = {},
  hubOptions: HubOptions = {},
): Promise<Scene> {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport, ...hubOptions })
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  const stream = hub.stream('scene', streamOptions) as unknown as Stream
  const heard: Message[] = []
  const subscription = stream.subscribe((message) => heard.push(message))
  await subscription.ready
  await hub.ready()
  const topic = topicOf(hub.name, 'scene')
  return {
    hub,
    transport,
    stream,
    topic,
    heard,
    errors,
    receive: (frame) => transport.host.receive(topic, toFrame(frame)),
    get data() {
      return heard.map(({ data }) => data)
    },
    get ledger() {
      return stream.ledger()
    },
  }
}

/** One message as it travels. */
export function wire(sequence: number, tMs?: number, origin = OTHER_ORIGIN, data: object = { n: sequence }) {
  return { data, sid: sidOf(origin, sequence), ...(tMs === undefined ? {} : { t: tMs }) }
}

/** Lets every promise that is settled by now go on; no time passes. */
export async function tick(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

/** Tells where a promise stands now: `pending`, `resolved`, or what it rejected with. */
export async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = 'pending'
  promise.then(
    () => {
      state = 'resolved'
    },
    (error) => {
      state = error
    },
  )
  await tick()
  return state
}

/** Asserts the laws that hold of every ledger. */
export function expectLawful(ledger: Ledger): void {
  const sum = (numbers: object) => Object.values(numbers).reduce((total, number) => total + number, 0)
  expect(ledger.accepted + sum(ledger.refused) + ledger.conflated + ledger.waiting).toBe(ledger.attempts)
  const { local, confirmed, inFlight, unconfirmed } = ledger
  expect(local + confirmed + inFlight + unconfirmed + sum(ledger.lost)).toBe(ledger.accepted)
  expect(ledger.delivered + sum(ledger.dropped)).toBe(ledger.received)
}

function toFrame(frame: unknown): Uint8Array | string {
  if (typeof frame === 'string' || frame instanceof Uint8Array) return frame
  return JSON.stringify(frame)
}
