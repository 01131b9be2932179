import { getEventListeners } from 'node:events'
import { memoryBus } from '@rivulet/memory'
import { describe, expect, test, vi } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { clientOf, connect, send, TOPIC, tick } from './client.ts'

describe('a paused call of one transport', () => {
  test('runs once, and does not delay the close of another', async () => {
    const bus = memoryBus()
    const [a, b, c] = [await connect(bus), await connect(bus, TOPIC), await connect(bus)]
    bus.freeze()
    send(a, 'held')
    const closed = vi.fn()
    const closing = c.transport.close(endless).then(closed)
    await tick()
    expect(closed).toHaveBeenCalledTimes(1)
    for (let times = 0; times < 2; times++) {
      bus.thaw()
      bus.freeze()
    }
    bus.thaw()
    await closing
    await tick()
    expect(b.host.texts()).toEqual(['held'])
  })

  test('stays when the close of another runs out of time', async () => {
    const bus = memoryBus()
    const [a, b, c] = [await connect(bus), await connect(bus, TOPIC), await connect(bus)]
    bus.freeze()
    send(a, 'cut')
    send(c, 'held')
    await a.transport.close(AbortSignal.abort())
    bus.thaw()
    await tick()
    expect(b.host.texts()).toEqual(['held'])
    expect(bus.counts().cut).toBe(1)
  })

  test('stays when another signal aborts, and leaves no listener on its own', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    const [gone, stays] = [new AbortController(), new AbortController()]
    bus.freeze()
    send(a, 'held')
    const outcomes = Promise.allSettled([gone, stays].map(({ signal }) => a.transport.flush(signal)))
    gone.abort('enough')
    bus.thaw()
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: 'enough' },
      { status: 'fulfilled', value: undefined },
    ])
    await tick()
    expect(b.host.texts()).toEqual(['held'])
    for (const { signal } of [gone, stays]) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('stays when another is closed while opening, which rejects with the reason', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    const [closed, opened] = [clientOf(bus.transport()), clientOf(bus.transport())]
    bus.freeze()
    send(a, 'held')
    const opening = [closed, opened].map(({ transport, host }) => transport.open(host, endless))
    const outcomes = Promise.allSettled(opening)
    await closed.transport.close(endless)
    bus.thaw()
    const reason = new Error('The transport was closed while it was opening; open it again.')
    expect(await outcomes).toEqual([
      { status: 'rejected', reason },
      { status: 'fulfilled', value: undefined },
    ])
    await tick()
    expect(b.host.texts()).toEqual(['held'])
  })

  test('stays when another leaves its topic', async () => {
    const bus = memoryBus()
    const [a, b, c] = [await connect(bus), await connect(bus, TOPIC), await connect(bus, TOPIC)]
    bus.freeze()
    send(a, 'held')
    c.transport.leave(TOPIC)
    bus.thaw()
    await tick()
    expect([b.host.texts(), c.host.texts()]).toEqual([['held'], []])
    expect(bus.counts()).toMatchObject({ sent: 1, delivered: 1 })
  })

  test('runs in due order, not in send order', async () => {
    vi.useFakeTimers()
    try {
      const heard = [false, true].map(async (isFrozen) => {
        const bus = memoryBus({ delayMs: [0, 100] })
        const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
        send(a, ...Array.from({ length: 20 }, (_, nth) => String(nth)))
        if (isFrozen) bus.freeze()
        await vi.advanceTimersByTimeAsync(100)
        bus.thaw()
        await vi.advanceTimersByTimeAsync(1)
        return b.host.texts()
      })
      const [onTime, late] = [await heard[0], await heard[1]]
      expect(late).toHaveLength(20)
      expect(late).toEqual(onTime)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a join', () => {
  test('that is left within its tick is not confirmed', async () => {
    const { transport } = await connect(memoryBus())
    const joining = transport.join(TOPIC, endless)
    transport.leave(TOPIC)
    await expect(joining).rejects.toMatchObject({
      message: expect.stringContaining(`The join of ${TOPIC} ended before it was confirmed`),
    })
  })
})

describe('a watch', () => {
  test('stays when the signal of an earlier one aborts', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus)]
    const earlier = new AbortController()
    await b.transport.watch('default', earlier.signal)
    await b.transport.watch('default', endless)
    earlier.abort()
    send(a, 'heard')
    await tick()
    expect(b.host.watchedFrames).toEqual([{ topic: TOPIC, text: 'heard' }])
  })
})

describe('a transport that was never open', () => {
  test('rejects calls, but accepts a leave and a close', async () => {
    const { transport } = clientOf(memoryBus().transport())
    const refusal = 'The transport is not open; open it first.'
    await expect(transport.join(TOPIC, endless)).rejects.toMatchObject({ message: refusal })
    await expect(transport.watch('default', endless)).rejects.toMatchObject({ message: refusal })
    await expect(transport.flush(endless)).rejects.toMatchObject({ message: refusal })
    expect(transport.send(TOPIC, 'x')).toBe('offline')
    transport.leave(TOPIC)
    await transport.close(endless)
  })
})

describe('a host that throws', () => {
  test('no Error, or also in error, still receives the next frame', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), clientOf(bus.transport())]
    let left = 2
    b.host.onReceive = () => {
      throw 'text'
    }
    b.host.error = (topic, cause) => {
      b.host.errors.push({ topic, cause })
      if (--left === 0) throw new Error('in error')
    }
    await b.transport.open(b.host, endless)
    await b.transport.join(TOPIC, endless)
    send(a, '1', '2', '3')
    await tick()
    expect(b.host.texts()).toEqual(['1', '2', '3'])
    expect(b.host.errors).toEqual(Array(3).fill({ topic: TOPIC, cause: new Error('text') }))
  })

  test('gets a default cause at an outage without one', async () => {
    const bus = memoryBus()
    const a = await connect(bus)
    bus.down()
    expect(a.host.downs).toEqual([new Error('The memory bus is down.')])
  })
})
