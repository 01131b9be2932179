import fc from 'fast-check'
import { createHub, type Stream, type Subscription } from 'rivulet'
import { expect, test } from 'vitest'
import { expectLaws } from '../support/ledger-laws.ts'

/** What a subscriber does when it is called, or the test between publishes. Numbers choose among what is there. */
type Act =
  | { readonly do: 'nothing' | 'publish' | 'publish twice' | 'subscribe' | 'throw' | 'publish elsewhere' }
  | { readonly do: 'unsubscribe'; readonly which: number }

interface Viewer {
  readonly subscription: Subscription
  readonly seen: number[]
  /** The number of the fan-out that ran, or had run last, when it subscribed and when it left. */
  readonly from: number
  until: number | undefined
}

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: 'nothing' as const }) },
  { weight: 4, arbitrary: fc.constant({ do: 'publish' as const }) },
  fc.constant({ do: 'publish twice' as const }),
  { weight: 2, arbitrary: fc.constant({ do: 'subscribe' as const }) },
  fc.constant({ do: 'throw' as const }),
  fc.constant({ do: 'publish elsewhere' as const }),
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), which: fc.nat({ max: 20 }) }),
  },
)

/** A stream under a tape of acts: whoever is called takes the next one. */
class Scene {
  readonly viewers: Viewer[] = []
  /** The fan-outs in their order. */
  readonly ran: number[] = []
  readonly stream: Stream<{ n: number }, { n: number }>
  readonly #elsewhere: Stream
  readonly #tape: Act[]
  #published = 0
  #running = -1

  constructor(tape: readonly Act[], maxWaiting: number) {
    const hub = createHub()
    hub.on('error', () => {})
    this.#tape = [...tape]
    this.stream = hub.stream<{ n: number }, { n: number }>('s', { limit: false, maxWaiting })
    this.#elsewhere = hub.stream('elsewhere', { limit: false })
    this.#elsewhere.subscribe(() => this.act())
    // The first subscriber knows which fan-out runs.
    this.stream.subscribe(({ data }) => {
      this.#running = data.n
      this.ran.push(data.n)
    })
  }

  get published(): number {
    return this.#published
  }

  /** Takes the next act from the tape; false at its end. */
  act(): boolean {
    const act = this.#tape.shift()
    if (act === undefined) return false
    if (act.do === 'publish' || act.do === 'publish twice') this.#publish()
    if (act.do === 'publish twice') this.#publish()
    if (act.do === 'publish elsewhere') this.#elsewhere.tryPublish({})
    if (act.do === 'subscribe') this.#subscribe()
    if (act.do === 'unsubscribe') this.#unsubscribe(act.which)
    if (act.do === 'throw') throw new Error('a subscriber throws')
    return true
  }

  #publish(): void {
    // Taken before the call: inside an idle stream the fan-out, with publishes of its own, runs within it.
    const n = this.#published++
    if (!this.stream.tryPublish({ n }).ok) this.#published--
  }

  #subscribe(): void {
    const seen: number[] = []
    const subscription = this.stream.subscribe(({ data }) => {
      seen.push(data.n)
      this.act()
    })
    this.viewers.push({ subscription, seen, from: this.#running, until: undefined })
  }

  #unsubscribe(which: number): void {
    const viewer = this.viewers[which % Math.max(1, this.viewers.length)]
    if (viewer === undefined || viewer.until !== undefined) return
    viewer.subscription.unsubscribe()
    viewer.until = this.#running
  }
}

test('all subscribers see one order, without a gap, however they publish, come and go', () => {
  fc.assert(
    fc.property(
      fc.array(acts, { maxLength: 80 }),
      fc.oneof(fc.constant(1000), fc.nat({ max: 5 })),
      (tape, maxWaiting) => {
        const scene = new Scene(tape, maxWaiting)
        let goesOn = true
        while (goesOn) {
          try {
            goesOn = scene.act()
          } catch {} // the test's own turn to throw
        }
        expect(scene.ran).toEqual(Array.from({ length: scene.published }, (_, n) => n))
        for (const viewer of scene.viewers) expectView(viewer, scene.published)
        expectLaws(scene.stream.ledger())
        expect(scene.stream.ledger().accepted).toBe(scene.published)
      },
    ),
    { numRuns: 3000 },
  )
})

/** From the first fan-out after it came, every number in a row, to the last before it left or to the end. */
function expectView({ seen, from, until }: Viewer, published: number): void {
  expect(seen).toEqual(seen.map((_, nth) => from + 1 + nth))
  const last = from + seen.length
  if (until === undefined) expect(last).toBe(published - 1)
  else expect([until, Math.max(from, until - 1)]).toContain(last)
}
