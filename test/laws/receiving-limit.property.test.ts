import fc from 'fast-check'
import type { Stream, StreamOptions } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { expect, test } from 'vitest'
import { type Topic, topicOf } from '../../src/message/topic.ts'
import { NONE_DROPPED } from '../support/dropped.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

const TOPIC: Topic = topicOf('default', 's')
const LONGEST_DELAY_MS = 1_000
/** What the documented epsilon of the bucket, once a message, may add up to. */
const SLACK = 1e-3

const rates = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.double({ min: 1, max: 300, noNaN: true }))
const bursts = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.double({ min: 1, max: 60, noNaN: true }))
const publishers = fc.constantFrom(1, 1, 2, 5)
const pausesMs = fc.oneof(
  fc.constant(0),
  fc.constantFrom(1_000, 2_000),
  fc.double({ min: 0, max: 40, noNaN: true }),
  fc.integer({ min: 0, max: 5_000 }),
)
const asks = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 400 }))

/** A hub whose clock moves by hand, on a scripted transport, with one stream. */
async function open(options: StreamOptions) {
  const clock = { nowMs: 0 }
  const environment = {
    nowMs: () => clock.nowMs,
    dateMs: () => clock.nowMs,
    random: Math.random,
    setTimer: () => () => {},
  }
  const transport = new ScriptedTransport()
  const hub = createHubIn(environment, { transport, maxInFlightBytes: Number.MAX_SAFE_INTEGER })
  hub.on('error', () => {})
  await hub.ready()
  const stream: Stream = hub.stream<Record<string, unknown>>('s', options)
  return { clock, transport, stream }
}

interface Sent {
  readonly text: string
  readonly atMs: number
}

/** Publishes as much of a script as the limiter of a real stream admits. */
async function admittedOf(
  script: readonly (readonly [number, number])[],
  limit: StreamOptions['limit'] & object,
): Promise<Sent[]> {
  const { clock, transport, stream } = await open({ limit, batch: false })
  const sent: Sent[] = []
  for (const [pauseMs, ask] of script) {
    clock.nowMs += pauseMs
    for (let nth = 0; nth < ask && stream.tryPublish({}).ok; nth++) {
      sent.push({ text: transport.sent.at(-1)?.text as string, atMs: clock.nowMs })
    }
  }
  return sent
}

/** How long each message is on its way: drawn by chance, or so that everything of a second arrives together. */
const delays = fc.oneof(
  fc
    .array(
      fc.oneof(
        fc.constantFrom(0, LONGEST_DELAY_MS),
        fc.double({ min: 0, max: LONGEST_DELAY_MS, noNaN: true }),
      ),
      {
        minLength: 1,
        maxLength: 50,
      },
    )
    .map((drawn) => (_: number, nth: number) => drawn[nth % drawn.length] as number),
  fc
    .nat({ max: 999 })
    .map((offsetMs) => (atMs: number) => LONGEST_DELAY_MS - ((atMs + offsetMs) % LONGEST_DELAY_MS)),
)

test('a receiver admits the messages of as many publishers as its limit says', async () => {
  const scripts = fc.array(fc.tuple(pausesMs, asks), { minLength: 1, maxLength: 15 })
  await fc.assert(
    fc.asyncProperty(
      rates,
      bursts,
      fc.array(scripts, { minLength: 2, maxLength: 5 }),
      delays,
      async (...drawn) => {
        const [ratePerSecond, burst, allScripts, delay] = drawn
        const limit = { ratePerSecond, burst, publishers: allScripts.length }
        const sent = await Promise.all(allScripts.map((script) => admittedOf(script, limit)))
        const { clock, transport, stream } = await open({ limit, maxAgeMs: false })
        await stream.subscribe(() => {}).ready
        const arrivals = sent
          .flatMap((own) => own.map(({ text, atMs }, nth) => ({ text, atMs: atMs + delay(atMs, nth) })))
          .sort((one, other) => one.atMs - other.atMs)
        for (const { text, atMs } of arrivals) {
          clock.nowMs = atMs
          transport.host.receive(TOPIC, text)
        }
        const { delivered, dropped } = stream.ledger()
        expect({ delivered, dropped }).toEqual({ delivered: arrivals.length, dropped: NONE_DROPPED })
      },
    ),
    { numRuns: 200 },
  )
})

test('a receiver that publishes nothing admits the messages of one publisher', async () => {
  const scripts = fc.array(fc.tuple(pausesMs, asks), { minLength: 1, maxLength: 25 })
  const starts = fc.constantFrom(0, 1e9)
  await fc.assert(
    fc.asyncProperty(
      rates,
      bursts,
      scripts,
      delays,
      starts,
      async (ratePerSecond, burst, script, delay, startMs) => {
        const limit = { ratePerSecond, burst }
        const sent = await admittedOf(script, limit)
        const { clock, transport, stream } = await open({ limit })
        await stream.subscribe(() => {}).ready
        const arrivals = sent
          .map(({ text, atMs }, nth) => ({ text, atMs: startMs + atMs + delay(atMs, nth) }))
          .sort((one, other) => one.atMs - other.atMs)
        for (const { text, atMs } of arrivals) {
          clock.nowMs = atMs
          transport.host.receive(TOPIC, text)
        }
        const { delivered, dropped } = stream.ledger()
        expect({ delivered, dropped }).toEqual({ delivered: sent.length, dropped: NONE_DROPPED })
      },
    ),
    { numRuns: 400 },
  )
})

test.each([
  ['whatever peers send and the hub itself publishes', ['peers', 'own'] as const],
  ['however long a subscriber blocks in between', ['peers', 'own', 'blocks'] as const],
])('no subscriber sees more than the documented bound in any window, %s', async (_, who) => {
  const acts = fc.tuple(pausesMs, fc.constantFrom(...who), asks, fc.integer({ min: 1, max: 64 }))
  const scripts = fc.array(acts, { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(rates, bursts, publishers, scripts, async (ratePerSecond, burst, publishers, script) => {
      const { clock, transport, stream } = await open({ limit: { ratePerSecond, burst, publishers } })
      const seenMs: number[] = []
      let blockMs = 0
      await stream.subscribe(() => {
        seenMs.push(clock.nowMs)
        clock.nowMs += blockMs
        blockMs = 0
      }).ready
      let sent = 0
      for (const [pauseMs, act, ask, perFrame] of script) {
        clock.nowMs += pauseMs
        if (act === 'blocks') blockMs = ask * 50
        else if (act === 'own') for (let nth = 0; nth < ask && stream.tryPublish({}).ok; nth++);
        else {
          for (let nth = 0; nth < ask; nth += perFrame)
            transport.host.receive(TOPIC, frameOf(sent + nth, perFrame))
          sent += ask + perFrame
        }
      }
      const ownBurst = publishers === 1 ? Math.max(1, burst / 4) : burst
      const atOnce = publishers * burst + ownBurst + 1.001 * publishers * ratePerSecond
      expectBound(seenMs, atOnce, publishers * ratePerSecond)
    }),
    { numRuns: 400 },
  )
})

/** Messages of many publishers in one frame, none of which was sent before. */
function frameOf(from: number, count: number): string {
  const entries = Array.from({ length: count }, (_, nth) => {
    const origin = (nth % 7).toString(16).padStart(16, 'f')
    return { data: {}, sid: `TZ${origin}${(from + nth + 1).toString(16).padStart(16, '0')}` }
  })
  return JSON.stringify(entries)
}

function expectBound(seenMs: readonly number[], atOnce: number, ratePerSecond: number): void {
  let excess = 0
  for (const [first, firstMs] of seenMs.entries()) {
    for (let last = first; last < seenMs.length; last++) {
      const windowMs = (seenMs[last] as number) - firstMs
      excess = Math.max(excess, last - first + 1 - atOnce - (1.001 * ratePerSecond * windowMs) / 1000)
    }
  }
  expect(excess).toBeLessThanOrEqual(SLACK)
}
