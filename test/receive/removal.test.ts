import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { NONE_DROPPED as NONE } from '../support/dropped.ts'
import { OTHER_ORIGIN, openScene, type Scene, tick, wire } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const removal = (sequence: number, tMs?: number, origin = OTHER_ORIGIN) => ({
  removed: true,
  sid: sidOf(origin, sequence),
  ...(tMs === undefined ? {} : { t: tMs }),
})

/** Closes the stream and opens the next one of its name. */
async function openAgain(scene: Scene): Promise<Stream> {
  scene.stream.close()
  const stream = scene.hub.stream('scene') as unknown as Stream
  await stream.subscribe(() => {}).ready
  return stream
}

describe('a removal from another process', () => {
  test('ends the stream, tells that it was not local, and is not counted as a message', async () => {
    const scene = await openScene()
    const removed: unknown[] = []
    scene.stream.on('removed', (payload) => removed.push(payload))
    scene.receive(removal(1, 0))
    expect(removed).toEqual([{ reason: 'removed', isLocal: false }])
    expect(scene.stream.closed).toBe(true)
    expect(scene.hub.ledger().received).toBe(0)
    await tick()
    expect(scene.transport.sent).toEqual([])
  })

  test('is ignored when the hub does not accept removal, and counts the missing ones', async () => {
    const scene = await openScene({}, { acceptRemoval: false })
    scene.receive(wire(1, 0))
    scene.receive(removal(4, 0))
    expect([scene.stream.closed, scene.ledger.missed]).toEqual([false, 2])
    scene.receive(wire(5, 0))
    expect(scene.ledger.missed).toBe(2)
  })

  test('is ignored when it is repeated, its number is forged, or it bears an own origin', async () => {
    const scene = await openScene()
    const { sid } = scene.stream.publish({})
    scene.receive([wire(1), wire(2)])
    for (const forged of [sidOf(OTHER_ORIGIN, 2), sidOf(OTHER_ORIGIN, 2 ** 50), sid]) {
      scene.receive({ removed: true, sid: forged, more: 1 })
    }
    expect(scene.stream.closed).toBe(false)
  })

  test('is ignored without a subscriber, as a clock of the program may have left it', async () => {
    let act = () => {}
    const nowMs = () => {
      act()
      return performance.now()
    }
    const scene = await openScene({}, { nowMs })
    scene.stream.close()
    const stream = scene.hub.stream('scene')
    const subscription = stream.subscribe(() => {})
    await subscription.ready
    act = () => subscription.unsubscribe()
    scene.receive(removal(1, 0))
    expect([subscription.closed, stream.closed]).toEqual([true, false])
  })

  test('is ignored while a barrier is overdue and its publisher is new: it may be old', async () => {
    const scene = await openScene()
    scene.transport.answers.flush = 'hang'
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(4_100)
    scene.transport.answers.flush = 'resolve'
    expect(scene.hub.status).toBe('down')
    await vi.advanceTimersByTimeAsync(500)
    scene.transport.answers.flush = 'hang'
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(2_050)
    scene.receive(removal(1, 0))
    expect(scene.stream.closed).toBe(false)
  })
})

describe('the room of a removal', () => {
  test('is its own: right after a full burst it reaches the other process', async () => {
    const bus = memoryBus()
    const [a, b] = [bus.transport(), bus.transport()].map((transport) =>
      createHub({ transport }).stream('news'),
    )
    const heard: unknown[] = []
    await b?.subscribe(({ data }) => heard.push(data)).ready
    for (let n = 0; n < 30; n++) a?.publish({ n })
    a?.remove()
    await tick()
    expect([heard.length, b?.closed]).toEqual([30, true])
  })

  test('has its own capacity: it passes without any for a message, and takes none', async () => {
    const scene = await openScene({}, { acceptRemoval: false })
    scene.receive(removal(1, 0, 'a'.repeat(16)))
    for (let number = 1; number <= 61; number++) scene.receive(wire(number, 0))
    expect(scene.ledger).toMatchObject({ delivered: 60, dropped: { ...NONE, rateLimited: 1 } })
    const full = await openScene()
    for (let number = 1; number <= 61; number++) full.receive(wire(number, 0))
    full.receive(removal(62, 0))
    expect(full.stream.closed).toBe(true)
  })

  test('is for 5 a second: more are rateLimited, undecoded, and no error', async () => {
    const scene = await openScene({}, { acceptRemoval: false })
    const decode = vi.spyOn(TextDecoder.prototype, 'decode')
    for (let number = 1; number <= 1_000; number++) scene.receive(removal(number, 0))
    expect(decode).toHaveBeenCalledTimes(5)
    decode.mockRestore()
    expect(scene.ledger).toMatchObject({ received: 995, dropped: { ...NONE, rateLimited: 995 } })
    await vi.advanceTimersByTimeAsync(200)
    scene.receive(removal(1_001, 200))
    scene.receive(removal(1_002, 200))
    expect(scene.ledger.dropped.rateLimited).toBe(996)
    expect([scene.errors, scene.stream.budget().available]).toEqual([[], 30])
  })
})

describe('a stream that was opened again', () => {
  test('is not ended by a repetition of the removal that ended the one before', async () => {
    const scene = await openScene()
    scene.receive(removal(1, 0))
    expect(scene.stream.closed).toBe(true)
    const again = await openAgain(scene)
    scene.receive(removal(1, 0))
    scene.receive(` ${JSON.stringify(removal(1, 0))}`)
    expect(again.closed).toBe(false)
    scene.receive(removal(2, 0))
    expect(again.closed).toBe(true)
  })

  test('is not ended by a removal that was frozen for longer than maxAgeMs', async () => {
    const scene = await openScene()
    scene.receive(wire(1, 0))
    await vi.advanceTimersByTimeAsync(10_000)
    const again = await openAgain(scene)
    scene.receive(removal(2, 4_980))
    expect(again.closed).toBe(false)
    scene.receive(removal(3, 5_000))
    expect(again.closed).toBe(true)
  })

  test('knows the numbers that the one before has seen, and what it learned of delays', async () => {
    const scene = await openScene()
    scene.receive([wire(1, 0), wire(2, 0)])
    const again = await openAgain(scene)
    scene.receive(wire(2, 0))
    await vi.advanceTimersByTimeAsync(10_000)
    scene.receive(wire(3, 0))
    scene.receive(wire(4, 10_000))
    expect(again.ledger()).toMatchObject({
      delivered: 1,
      missed: 0,
      dropped: { ...NONE, duplicate: 1, stale: 1 },
    })
  })

  test.each([
    [60_000, false],
    [60_001, true],
  ])('after %i ms is ended by such a repetition: %s', async (pauseMs, isEnded) => {
    const scene = await openScene()
    await vi.advanceTimersByTimeAsync(100_000)
    scene.receive(removal(1, 0))
    await vi.advanceTimersByTimeAsync(pauseMs)
    const again = await openAgain(scene)
    scene.receive(removal(1, 0))
    expect(again.closed).toBe(isEnded)
  })

  test('has that from the last 1 024 topics that ended, and no more', async () => {
    const { hub, transport } = await openScene()
    const receive = (name: string) =>
      transport.host.receive(`rivulet/default/${name}` as never, JSON.stringify(removal(1, 0)))
    const open = (name: string) => {
      const stream = hub.stream(name)
      stream.subscribe(() => {})
      return stream
    }
    for (let nth = 0; nth <= 1_024; nth++) {
      const stream = open(`s${nth}`)
      receive(`s${nth}`)
      expect(stream.closed).toBe(true)
    }
    const [forgotten, kept] = ['s0', 's1'].map(open)
    for (const name of ['s0', 's1']) receive(name)
    expect([forgotten?.closed, kept?.closed]).toEqual([true, false])
  })
})
