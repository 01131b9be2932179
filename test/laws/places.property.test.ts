import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deliver } from '../../src/deliver/delivery.ts'
import { addListener, removeAllListeners, removeListener } from '../../src/deliver/fan-out.ts'
import type { Message } from '../../src/message/message.ts'
import type { Subscriber } from '../../src/state/deliver-part.ts'
import { Counters } from '../../src/state/ledger.ts'
import type { StreamState } from '../../src/state/stream-state.ts'

/** Above this many empty places more than half of all are taken. */
const FEW_EMPTY = 32

type Act = { readonly do: 'come' | 'leave' | 'deliver'; readonly count: number; readonly within: boolean }

const act: fc.Arbitrary<Act> = fc.record({
  do: fc.constantFrom('come', 'come', 'leave', 'leave', 'deliver'),
  count: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 90 })),
  within: fc.boolean(),
})

/** What of a stream calling its subscribers needs. */
function emptyState(): StreamState {
  const counters = new Counters()
  return { listeners: [], subscribers: [], counters, hub: {}, queued: 0, isDelivering: false } as never
}

// A stream whose subscribers come and go, with others that stay, may not keep the place of everybody who ever came.
test('places close up once most are empty, and each is called once in order', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), fc.nat(), (acts, salt) => {
      const state = emptyState()
      const present: { subscriber: Subscriber; id: number }[] = []
      let calls: number[] = []
      let next = 0
      const come = () => {
        const id = next++
        const subscriber = { index: -1 } as Subscriber
        addListener(state, subscriber, () => void calls.push(id))
        present.push({ subscriber, id })
      }
      const leave = () => {
        const [gone] = present.splice((salt * 7 + next) % Math.max(1, present.length), 1)
        if (gone !== undefined) removeListener(state, gone.subscriber)
      }
      const run = ({ do: what, count }: Act) => {
        for (let nth = 0; nth < count && what !== 'deliver'; nth++) what === 'come' ? come() : leave()
      }
      const publish = (during: () => void) => {
        const subscriber = { index: -1 } as Subscriber
        const expected = present.map(({ id }) => id)
        addListener(state, subscriber, () => during())
        calls = []
        deliver(state, {} as Message, undefined, 0)
        expect(calls).toEqual(expected)
        expectTidy(state)
        removeListener(state, subscriber)
      }
      for (const one of acts) {
        // Whoever changes during a fan-out does so as its last subscriber: all others were called before.
        if (one.within) publish(() => run(one))
        else run(one)
        if (one.do === 'deliver') publish(() => {})
        expect(state.counters.subscribers).toBe(present.length)
        expectTidy(state)
      }
      expect(removeAllListeners(state)).toEqual(present.map(({ subscriber }) => subscriber))
      expect(state.listeners).toEqual([])
    }),
    { numRuns: 1_000 },
  )
})

// What makes leaving O(1) amortized: places close up only when no more stay than have left since.
test.each([
  ['in the order in which they came', (nth: number) => nth],
  ['in reverse', (nth: number) => 4_095 - nth],
  ['here and there', (nth: number) => (nth * 1_001) % 4_096],
])('each that leaves costs one move at the most, when all leave %s', (_, nthToLeave) => {
  const state = emptyState()
  let writes = 0
  const all = Array.from({ length: 4_096 }, () => {
    let place = -1
    const subscriber = {
      get index() {
        return place
      },
      set index(index) {
        place = index
        writes++
      },
    } as Subscriber
    addListener(state, subscriber, () => {})
    return subscriber
  })
  for (const nth of all.keys()) removeListener(state, all[nthToLeave(nth)] as Subscriber)
  expect(state.counters.subscribers).toBe(0)
  expect(writes).toBeLessThanOrEqual(3 * all.length)
})

/** Few places are empty, or less than half of all, and none when everybody has left. */
function expectTidy({ listeners, subscribers, counters }: StreamState): void {
  const empty = listeners.length - counters.subscribers
  expect(subscribers.length).toBe(listeners.length)
  expect(empty < FEW_EMPTY || 2 * empty < listeners.length).toBe(true)
  if (counters.subscribers === 0) expect(empty).toBe(0)
}
