import { createHub, type LimitOptions, type StreamOptions } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { describe, expect, test, vi } from 'vitest'
import { pass, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'

stopTime()

function streamOf(ratePerSecond: number, burst: number, options: StreamOptions = {}) {
  const limit: LimitOptions = { ratePerSecond, burst }
  const stream = createHub().stream<{ n: number }>('s', { limit, ...options } as object)
  const seen: number[] = []
  stream.subscribe((message) => seen.push(message.data.n))
  return { stream, seen }
}

describe('publishWhenReady', () => {
  test('publishes at once when there is room', async () => {
    const { stream, seen } = streamOf(10, 1)
    const published = stream.publishWhenReady({ n: 1 })
    expect(seen).toEqual([1])
    expect((await published).data).toEqual({ n: 1 })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('publishes with limit false at once, and never waits', async () => {
    const stream = createHub().stream('s', { limit: false })
    for (let n = 0; n < 2000; n++) await stream.publishWhenReady({ n })
    expect(stream.ledger()).toMatchObject({ accepted: 2000, waiting: 0 })
  })

  test('waits its turn: first come, first served, each as soon as there is room', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    const order: number[] = []
    const waiting = [1, 2, 3].map((n) => stream.publishWhenReady({ n }).then(() => order.push(n)))
    expect(stream.ledger().waiting).toBe(3)
    await pass(99, 1)
    expect(seen).toEqual([0])
    await pass(1, 1)
    expect(seen).toEqual([0, 1])
    await pass(100, 1)
    expect(seen).toEqual([0, 1, 2])
    await pass(100, 1)
    await Promise.all(waiting)
    expect(seen).toEqual([0, 1, 2, 3])
    expect(order).toEqual([1, 2, 3])
    expect(stream.ledger()).toMatchObject({ attempts: 4, accepted: 4, waiting: 0 })
  })

  test('keeps its order, even with capacity', async () => {
    const clock = { nowMs: 0 }
    const stream = createHub({ nowMs: () => clock.nowMs }).stream<{ n: number }>('s', {
      limit: { ratePerSecond: 10, burst: 2 },
    })
    const seen: number[] = []
    stream.subscribe(({ data }) => seen.push(data.n))
    for (const n of [0, 1]) stream.publish({ n })
    const first = stream.publishWhenReady({ n: 2 })
    clock.nowMs = 10_000 // the timer has not fired yet
    const second = stream.publishWhenReady({ n: 3 })
    expect(stream.publishLatest({ n: 4 })).toBeUndefined()
    expect(seen).toEqual([0, 1])
    await pass(100)
    expect(seen).toEqual([0, 1, 2, 3])
    clock.nowMs = 20_000
    await pass(100)
    await Promise.all([first, second])
    expect(seen).toEqual([0, 1, 2, 3, 4])
  })

  test('goes through a line of hundreds at the rate, and not faster', async () => {
    const { stream, seen } = streamOf(100, 5)
    const all = Promise.all(Array.from({ length: 300 }, (_, n) => stream.publishWhenReady({ n })))
    for (let ms = 0; ms < 2950; ms += 10) {
      expect(seen.length).toBeLessThanOrEqual(5 + ms / 10 + 1e-6)
      expect(seen.length).toBeGreaterThanOrEqual(Math.min(300, 4 + ms / 10))
      await pass(10)
    }
    await all
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => n))
  })

  test('has one timer while the line is not empty, and none otherwise', async () => {
    const { stream } = streamOf(10, 1)
    stream.publish({ n: 0 })
    expect(vi.getTimerCount()).toBe(0)
    const timeouts = vi.spyOn(globalThis, 'setTimeout')
    const waiting = [1, 2, 3].map((n) => stream.publishWhenReady({ n }))
    expect(timeouts).toHaveBeenCalledTimes(1)
    timeouts.mockRestore()
    expect(vi.getTimerCount()).toBe(1)
    await pass(150, 10)
    expect(vi.getTimerCount()).toBe(1)
    await pass(150, 10)
    await Promise.all(waiting)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('admits a newcomer during an admission by the next timer, and leaves none behind', async () => {
    const clock = { nowMs: 0 }
    const stream = createHub({ nowMs: () => clock.nowMs }).stream<{ n: number }>('s', {
      limit: { ratePerSecond: 10, burst: 4 },
    })
    for (let n = 0; n < 4; n++) stream.publish({ n })
    let joined: Promise<unknown> | undefined
    stream.subscribe(({ data }) => {
      if (data.n === 10) joined = stream.publishWhenReady({ n: 12 })
    })
    const waiting = [10, 11].map((n) => stream.publishWhenReady({ n }))
    clock.nowMs = 10_000 // the timer is late: there is room for all of them
    await pass(100)
    await Promise.all(waiting)
    expect(stream.ledger()).toMatchObject({ accepted: 6, waiting: 1 })
    await pass(1)
    await joined
    expect(stream.ledger()).toMatchObject({ accepted: 7, waiting: 0 })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('keeps one timer when whoever joins during an admission has to wait', async () => {
    const { stream, seen } = streamOf(10, 1)
    let joined: Promise<unknown> | undefined
    stream.subscribe(({ data }) => {
      if (data.n === 1) joined = stream.publishWhenReady({ n: 2 })
    })
    stream.publish({ n: 0 })
    const waiting = stream.publishWhenReady({ n: 1 })
    await pass(100)
    await waiting
    expect(vi.getTimerCount()).toBe(1)
    await pass(100)
    await joined
    expect(seen).toEqual([0, 1, 2])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('holds the process while a message is queued', () => {
    const holds: boolean[] = []
    const setTimer = (_action: () => void, _waitMs: number, holdsProcess: boolean) => {
      holds.push(holdsProcess)
      return () => {}
    }
    const environment = { nowMs: () => 0, dateMs: () => 0, random: () => 0.5, setTimer }
    const stream = createHubIn(environment).stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    stream.publish({})
    stream.publishLatest({})
    expect(holds).toEqual([true])
  })

  test('at a rate of 0 waits without a timer until the stream closes', async () => {
    const { stream } = streamOf(0, 1)
    stream.publish({ n: 0 })
    const waiting = stream.publishWhenReady({ n: 1 })
    expect(vi.getTimerCount()).toBe(0)
    await pass(100_000, 50_000)
    expect(stream.ledger().waiting).toBe(1)
    stream.close()
    await expect(waiting).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
  })

  test('checks and snapshots the data at the call', async () => {
    const { stream } = streamOf(10, 1)
    const data: Record<string, unknown> = { n: 0 }
    stream.publish(data as { n: number })
    const waiting = stream.publishWhenReady(data as { n: number })
    data.n = 'changed'
    const refused = stream.publishWhenReady({ n: 1n } as never)
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_DATA' })
    await pass(100)
    expect((await waiting).data).toEqual({ n: 0 })
    expectLaws(stream.ledger())
  })

  test('is refused at once past maxWaiting', async () => {
    const { stream } = streamOf(10, 1, { maxWaiting: 2 })
    stream.publish({ n: 0 })
    const waiting = [1, 2].map((n) => stream.publishWhenReady({ n }))
    const refusal = await stream.publishWhenReady({ n: 3 }).catch((error) => error)
    expect(refusal).toMatchObject({ code: 'QUEUE_FULL', maxWaiting: 2 })
    expect(refusal.message).toContain('2 messages are waiting already; publish less, or raise maxWaiting.')
    await pass(200)
    await Promise.all(waiting)
    expect(stream.ledger()).toMatchObject({ attempts: 4, accepted: 3, refused: { queueFull: 1 } })
  })

  test('is refused past maxWaiting with capacity again and the queue not moved yet', async () => {
    const clock = { nowMs: 0 }
    const stream = createHub({ nowMs: () => clock.nowMs }).stream('s', {
      limit: { ratePerSecond: 10, burst: 1 },
      maxWaiting: 1,
    })
    stream.publish({ n: 0 })
    const waiting = stream.publishWhenReady({ n: 1 })
    clock.nowMs = 10_000 // the timer has not fired yet
    await expect(stream.publishWhenReady({ n: 2 })).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    await pass(100)
    await waiting
    expect(stream.ledger()).toMatchObject({ accepted: 2, waiting: 0, refused: { queueFull: 1 } })
  })

  test('is refused once maxWaiting messages wait for a running fan-out', async () => {
    const stream = createHub().stream<{ n: number }>('s', { limit: false, maxWaiting: 2 })
    const seen: number[] = []
    const codes: string[] = []
    stream.subscribe(({ data }) => {
      seen.push(data.n)
      if (data.n > 0) return
      for (const n of [1, 2, 3]) void stream.publishWhenReady({ n }).catch(({ code }) => codes.push(code + n))
    })
    stream.publish({ n: 0 })
    await tick()
    expect(seen).toEqual([0, 1, 2])
    expect(codes).toEqual(['QUEUE_FULL3'])
  })

  test('publishes with limit false and maxWaiting 0: no message has to wait', async () => {
    const stream = createHub().stream('s', { limit: false, maxWaiting: 0 })
    expect((await stream.publishWhenReady({ n: 1 })).data).toEqual({ n: 1 })
    expect(stream.publishLatest({ n: 2 })?.data).toEqual({ n: 2 })
    expect(stream.publish({ n: 3 }).data).toEqual({ n: 3 })
  })

  test('does not read the data when the line is full', async () => {
    const { stream } = streamOf(10, 1, { maxWaiting: 0 })
    stream.publish({ n: 0 })
    const data = {
      get n(): number {
        throw new Error('read')
      },
    }
    await expect(stream.publishWhenReady(data)).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    await pass(100)
    await stream.publishWhenReady({ n: 1 })
  })

  test('is refused when the line fills up while its data is read', async () => {
    const { stream } = streamOf(0, 1, { maxWaiting: 1 })
    stream.publish({ n: 0 })
    const inner: Promise<unknown>[] = []
    const data = {
      toJSON() {
        inner.push(stream.publishWhenReady({ n: 1 }).catch(() => {}))
        return { n: 2 }
      },
    }
    await expect(stream.publishWhenReady(data as never)).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    expect(stream.ledger().waiting).toBe(1)
  })

  test('is refused as closed when the stream or its hub closes first, in queue order', async () => {
    const hub = createHub()
    const [one, two] = ['one', 'two'].map((name) =>
      hub.stream(name, { limit: { ratePerSecond: 1, burst: 1 } }),
    )
    const codes: string[] = []
    for (const stream of [one, two]) {
      stream?.publish({})
      for (const n of [1, 2]) void stream?.publishWhenReady({ n }).catch(({ code }) => codes.push(code + n))
    }
    one?.close()
    await hub.close()
    expect(codes).toEqual(['STREAM_CLOSED1', 'STREAM_CLOSED2', 'HUB_CLOSED1', 'HUB_CLOSED2'])
    expect(hub.ledger()).toMatchObject({ attempts: 6, accepted: 2, waiting: 0, refused: { closed: 4 } })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('admits no more than the rate while subscribers block, one at each message', async () => {
    const clock = { nowMs: 0 }
    const stream = createHub({ nowMs: () => clock.nowMs }).stream<{ n: number }>('s', {
      limit: { ratePerSecond: 1, burst: 2 },
    })
    const seenMs: number[] = []
    stream.subscribe(({ data }) => {
      seenMs.push(clock.nowMs)
      if (data.n === 2) clock.nowMs += 20_000
    })
    for (let n = 0; n < 2; n++) stream.publish({ n })
    const waiting = Array.from({ length: 8 }, (_, nth) => stream.publishWhenReady({ n: nth + 2 }))
    clock.nowMs = 1_000
    while (stream.ledger().waiting > 0) {
      await pass(100)
      clock.nowMs += 100
    }
    await Promise.all(waiting)
    expect(seenMs.length).toBe(10)
    for (const [from, firstMs] of seenMs.entries()) {
      for (const [nth, atMs] of seenMs.slice(from).entries()) {
        expect(nth + 1).toBeLessThanOrEqual(2 + (atMs - firstMs) / 1000 + 1e-6)
      }
    }
  })

  test('yields while each subscriber queues a successor and takes longer than the rate', async () => {
    const clock = { nowMs: 0 }
    const stream = createHub({ nowMs: () => clock.nowMs }).stream<{ n: number }>('s', {
      limit: { ratePerSecond: 100, burst: 1 },
    })
    const queue = (n: number) => void stream.publishWhenReady({ n }).catch(() => {})
    let heard = 0
    stream.subscribe(({ data }) => {
      heard++
      if (data.n < 50) queue(data.n + 1)
      clock.nowMs += 20
    })
    queue(0)
    expect(heard).toBe(1)
    vi.advanceTimersToNextTimer()
    expect([heard, stream.ledger().waiting]).toEqual([2, 1])
    stream.close()
  })

  test('publishes nothing when the clock of the user closes the stream as the line moves', async () => {
    let isArmed = false
    const stream = createHub({ nowMs: readMs }).stream('s', { limit: { ratePerSecond: 10, burst: 2 } })
    function readMs(): number {
      if (isArmed) stream.close()
      return isArmed ? 10_000 : 0
    }
    let heard = 0
    stream.subscribe(() => heard++)
    for (let n = 0; n < 2; n++) stream.publish({ n })
    const waiting = [2, 3].map((n) => stream.publishWhenReady({ n }).catch(({ code }) => code))
    isArmed = true
    await pass(100)
    expect(await Promise.all(waiting)).toEqual(['STREAM_CLOSED', 'STREAM_CLOSED'])
    expect(heard).toBe(2)
    expect(stream.ledger()).toMatchObject({ attempts: 4, accepted: 2, waiting: 0, refused: { closed: 2 } })
  })

  // RELIABILITY 31: in the same tick.
  test('causes no unhandled rejection when the stream ends and it is not awaited', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    const { stream } = streamOf(1, 1)
    stream.publish({ n: 0 })
    void stream.publishWhenReady({ n: 1 })
    stream.remove()
    void stream.publishWhenReady({ n: 2 })
    await tick()
    await tick()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
    expect(stream.ledger()).toMatchObject({ accepted: 1, waiting: 0, refused: { closed: 2 } })
  })

  test('is refused at once on a closed stream', async () => {
    const { stream } = streamOf(1, 1)
    stream.close()
    await expect(stream.publishWhenReady({ n: 1 })).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    expect(stream.ledger().refused.closed).toBe(1)
  })

  test('stops in the middle of an admission when a subscriber closes the stream', async () => {
    const clock = { nowMs: 0 }
    const stream = createHub({ nowMs: () => clock.nowMs }).stream('s', {
      limit: { ratePerSecond: 10, burst: 4 },
    })
    for (let n = 0; n < 4; n++) stream.publish({ n })
    stream.subscribe(() => stream.close())
    const waiting = [1, 2, 3].map((n) =>
      stream.publishWhenReady({ n }).then(
        () => 'published',
        ({ code }) => code,
      ),
    )
    clock.nowMs = 10_000
    await pass(100)
    expect(await Promise.all(waiting)).toEqual(['published', 'STREAM_CLOSED', 'STREAM_CLOSED'])
    expectLaws(stream.ledger())
  })
})

describe('publishWhenReady with a signal', () => {
  test('rejects with the reason of a signal that has aborted, without reading the data', async () => {
    const { stream } = streamOf(10, 1)
    const reason = new Error('enough')
    const data = {
      get n(): number {
        throw new Error('read')
      },
    }
    await expect(stream.publishWhenReady(data, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(stream.ledger()).toMatchObject({ attempts: 1, refused: { aborted: 1 } })
  })

  test('leaves the line at an abort, and whoever stood behind moves up', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    const controller = new AbortController()
    const first = stream.publishWhenReady({ n: 1 }, { signal: controller.signal })
    const second = stream.publishWhenReady({ n: 2 })
    controller.abort('enough')
    await expect(first).rejects.toBe('enough')
    await pass(100)
    await second
    expect(seen).toEqual([0, 2])
    expect(stream.ledger()).toMatchObject({ attempts: 3, accepted: 2, refused: { aborted: 1 }, waiting: 0 })
  })

  test('stops the timer when the last one leaves the line', async () => {
    const { stream } = streamOf(10, 1)
    stream.publish({ n: 0 })
    const controller = new AbortController()
    const waiting = stream.publishWhenReady({ n: 1 }, { signal: controller.signal })
    controller.abort('enough')
    expect(vi.getTimerCount()).toBe(0)
    await expect(waiting).rejects.toBe('enough')
  })

  test('notices a signal that aborts while its data is read', async () => {
    const { stream, seen } = streamOf(10, 1)
    const controller = new AbortController()
    const data = {
      toJSON() {
        controller.abort('enough')
        return { n: 1 }
      },
    }
    const options = { signal: controller.signal }
    await expect(stream.publishWhenReady(data as never, options)).rejects.toBe('enough')
    expect(seen).toEqual([])
    expect(stream.ledger()).toMatchObject({ attempts: 1, refused: { aborted: 1 } })
  })

  test('lets go of the signal once published, refused or aborted', async () => {
    const { stream } = streamOf(10, 1)
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    stream.publish({ n: 0 })
    const waiting = [1, 2, 3].map((n) => stream.publishWhenReady({ n }, { signal }))
    expect(added).toHaveBeenCalledTimes(1) // one listener per stream and signal
    await pass(100)
    await waiting[0]
    expect(removed).not.toHaveBeenCalled()
    stream.close()
    await Promise.allSettled(waiting)
    expect(removed).toHaveBeenCalledTimes(1)
  })

  test('does nothing at an abort that comes after the message went out', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    const controller = new AbortController()
    const waiting = stream.publishWhenReady({ n: 1 }, { signal: controller.signal })
    await pass(100)
    controller.abort('too late')
    await tick()
    expect((await waiting).data).toEqual({ n: 1 })
    expect(seen).toEqual([0, 1])
    expect(stream.ledger().refused.aborted).toBe(0)
  })
})
