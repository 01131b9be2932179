import fc from 'fast-check'
import type { ScriptedTransport } from '../../support/scripted-transport.ts'
import type { Entry } from './received-log.ts'

/** Below what the core takes for a publisher whose clock has stepped. */
export const MAX_AGE_MS = 30_000
/** The names of the streams. */
export const NAMES = ['a', 'b'] as const

const LIMITS = [
  { limit: false },
  { limit: { ratePerSecond: 10, burst: 3, scope: 'process' } },
  { limit: { ratePerSecond: 0, burst: 3, scope: 'stream' } },
] as const

/** What own messages hold beside their number. */
export const OWN = {
  none: {},
  padded: { pad: 'x'.repeat(400) },
  unfit: { pad: 'x'.repeat(800) },
  large: { pad: 'x'.repeat(2_000) },
  bad: { bad: true },
  bigint: { big: 1n },
}
/** What messages from elsewhere hold. */
export const FOREIGN = {
  none: { a: 1 },
  noObject: [1],
  large: { pad: 'x'.repeat(2_000) },
  bad: { bad: true },
}

const name = fc.constantFrom(...NAMES)
const entry: fc.Arbitrary<Entry> = fc.record({
  by: fc.constantFrom<Entry['by'][]>(0, 0, 1, 1, 'self'),
  sequence: fc.integer({ min: 1, max: 15 }),
  delayMs: fc.constantFrom(0, 0, 0, 20, 2 * MAX_AGE_MS),
  flaw: fc.constantFrom<Entry['flaw'][]>('none', 'none', 'none', 'none', 'noObject', 'large', 'bad'),
})
const act = fc.oneof(
  {
    weight: 7,
    arbitrary: fc.record({
      op: fc.constant('publish' as const),
      name,
      verb: fc.constantFrom(
        'publish' as const,
        'tryPublish' as const,
        'publishWhenReady' as const,
        'publishLatest' as const,
      ),
      flaw: fc.constantFrom<(keyof typeof OWN)[]>(
        'none',
        'none',
        'none',
        'padded',
        'unfit',
        'large',
        'bad',
        'bigint',
      ),
      key: fc.nat({ max: 1 }),
      times: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('subscribe' as const),
      name,
      how: fc.constantFrom('reads' as const, 'reads' as const, 'throws' as const, 'rejects' as const),
    }),
  },
  fc.record({ op: fc.constant('leave' as const), which: fc.nat({ max: 5 }) }),
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('receive' as const),
      name,
      entries: fc.array(entry, { maxLength: 4, size: 'max' }),
    }),
  },
  fc.record({
    op: fc.constant('end' as const),
    name,
    how: fc.constantFrom('close' as const, 'remove' as const),
  }),
  fc.record({
    op: fc.constant('answer' as const),
    sending: fc.constantFrom<ScriptedTransport['sending'][]>(
      'sent',
      'sent',
      'sent',
      'offline',
      new Error('broken'),
    ),
    flush: fc.constantFrom<ScriptedTransport['answers']['flush'][]>(
      'resolve',
      'resolve',
      'hang',
      new Error('broken'),
    ),
  }),
  fc.record({ op: fc.constant('down' as const) }),
  fc.record({ op: fc.constant('refuse' as const), name }),
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 25, 120, 120, 700, 2_100),
    }),
  },
)
/** One thing that happens to a hub. */
export type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

/** Options of its streams. */
export const options = fc.record({
  limit: fc.constantFrom(...LIMITS),
  batch: fc.boolean(),
  maxWaiting: fc.constantFrom(0, 2, 1_000),
})

/** What happens to it, one after the other. */
export const acts = fc.array(act, { minLength: 10, maxLength: 50, size: 'max' })
