import fc from 'fast-check'
import type { CloseReason, Hub, Stream, StreamHandle } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { expect, test } from 'vitest'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'

const IDLE_SECONDS = 10

/** Numbers choose among the handles that there are, or say how long to wait. */
type Act =
  | { readonly do: 'acquire' | 'stream' | 'close' | 'remove' | 'publish' | 'subscribe' | 'unsubscribe' }
  | { readonly do: 'release' | 'wait'; readonly n: number }

const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'acquire' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), n: fc.nat({ max: 5 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), n: fc.integer({ min: 1, max: 12 }) }),
  },
  ...(['stream', 'close', 'remove', 'publish', 'subscribe', 'unsubscribe'] as const).map((what) =>
    fc.constant({ do: what }),
  ),
)

/** One stream object, and what the test did with it. */
interface Life {
  readonly stream: Stream
  readonly reasons: CloseReason[]
  readonly handles: Set<StreamHandle>
  readonly leave: (() => void)[]
  isGivenOut: boolean
  isEndedByHand: boolean
}

/** A hub with one name, under a tape of acts, some of which listeners of `closed` do. */
class Scene {
  readonly lives: Life[] = []
  readonly #environment = new HandMadeEnvironment()
  readonly #hub: Hub
  readonly #inListeners: Act[]

  constructor(inListeners: readonly Act[]) {
    this.#inListeners = [...inListeners]
    this.#hub = createHubIn(this.#environment, { streamDefaults: { idleTtlSeconds: IDLE_SECONDS } })
  }

  async act(act: Act): Promise<void> {
    if (act.do === 'wait') await this.#environment.pass(act.n * 1000)
    else this.#do(act)
  }

  async close(): Promise<void> {
    await this.#hub.close()
    expect(this.#environment.timers).toBe(0)
  }

  #do(act: Act): void {
    const life = this.lives.at(-1)
    if (act.do === 'acquire') this.#acquire()
    if (act.do === 'stream') this.#lifeOf(this.#hub.stream('s') as Stream).isGivenOut = true
    if (act.do === 'publish') life?.stream.tryPublish({})
    if (act.do === 'subscribe' && life?.stream.closed === false) this.#subscribe(life)
    if (act.do === 'unsubscribe') life?.leave.pop()?.()
    if (act.do === 'release') this.#release(act.n)
    if (act.do === 'close' || act.do === 'remove') {
      if (life?.stream.closed === false) life.isEndedByHand = true
      life?.stream[act.do]()
    }
  }

  #acquire(): void {
    const handle = this.#hub.acquire('s') as StreamHandle
    this.#lifeOf(handle.stream).handles.add(handle)
  }

  #subscribe(life: Life): void {
    const subscription = life.stream.subscribe(() => {})
    life.leave.push(() => subscription.unsubscribe())
  }

  /** Releases one of all handles that there ever were, twice. */
  #release(n: number): void {
    const handles = this.lives.flatMap(({ handles }) => [...handles])
    const handle = handles[n % handles.length]
    for (const { handles } of this.lives) if (handle !== undefined) handles.delete(handle)
    handle?.release()
    handle?.release()
  }

  #lifeOf(stream: Stream): Life {
    const known = this.lives.find((life) => life.stream === stream)
    if (known !== undefined) return known
    const life: Life = {
      stream,
      reasons: [],
      handles: new Set(),
      leave: [],
      isGivenOut: false,
      isEndedByHand: false,
    }
    stream.on('closed', ({ reason }) => {
      life.reasons.push(reason)
      const act = this.#inListeners.shift()
      if (act !== undefined && reason !== 'hubClosed') this.#do(act)
    })
    this.lives.push(life)
    return life
  }
}

function check({ stream, reasons, handles, isGivenOut, isEndedByHand }: Life): void {
  expect(reasons.length).toBe(stream.closed ? 1 : 0)
  if (handles.size > 0 && !isEndedByHand) expect(stream.closed).toBe(false)
  if (reasons[0] === 'released') expect([handles.size, isGivenOut]).toEqual([0, false])
  if (reasons[0] === 'idle') expect([handles.size, stream.ledger().subscribers]).toEqual([0, 0])
  if (handles.size === 0 && !isGivenOut) expect(stream.closed).toBe(true)
}

test('a stream lives while one of its handles does, and its end is told once', async () => {
  const tape = fc.array(acts, { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(tape, fc.array(acts, { maxLength: 6 }), async (acts, inListeners) => {
      const scene = new Scene(inListeners)
      for (const act of acts) {
        await scene.act(act)
        for (const life of scene.lives) check(life)
      }
      await scene.close()
      for (const { stream, reasons } of scene.lives)
        expect([stream.closed, reasons.length]).toEqual([true, 1])
    }),
    { numRuns: 300 },
  )
})

test('an unused stream of any life ends after its idle time, and leaves no timer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9_999 }), { maxLength: 20 }), async (pauses) => {
      const environment = new HandMadeEnvironment()
      const stream = createHubIn(environment).stream('s', { idleTtlSeconds: IDLE_SECONDS, limit: false })
      for (const pauseMs of pauses) {
        await environment.pass(pauseMs)
        stream.publish({})
      }
      await environment.pass(9_999)
      expect([stream.closed, environment.timers]).toEqual([false, 1])
      await environment.pass(1)
      expect([stream.closed, environment.timers]).toEqual([true, 0])
    }),
    { numRuns: 200 },
  )
})
