import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Stream } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { stopTime, tick } from '../support/fake-time.ts'

stopTime()

const WAYS: [reason: string, end: (stream: Stream, hub: Hub) => unknown][] = [
  ['closed', (stream) => stream.close()],
  ['removed', (stream) => stream.remove()],
  ['expired', (stream) => [stream.setTtl(5), vi.advanceTimersByTime(5_000)]],
  ['idle', () => vi.advanceTimersByTime(60_000)],
  ['hubClosed', (_, hub) => void hub.close()],
]

function open(hub = createHub()): Stream {
  return hub.stream('s', { idleTtlSeconds: 60 }) as Stream
}

describe.each(WAYS)('the event closed of a stream that has ended as %s', (reason, end) => {
  test('tells the reason once, whatever ends the stream again', async () => {
    const hub = createHub()
    const stream = open(hub)
    const closed = vi.fn()
    stream.on('closed', closed)
    end(stream, hub)
    stream.close()
    stream.remove()
    vi.advanceTimersByTime(1e6)
    await hub.close()
    expect(closed.mock.calls).toEqual([[{ reason, isLocal: true }]])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is told once when each of its listeners ends the stream and the hub again', async () => {
    const hub = createHub()
    const stream = open(hub)
    const reasons: string[] = []
    for (let n = 0; n < 3; n++) {
      stream.on('closed', (event) => {
        reasons.push(event.reason)
        stream.close()
        stream.remove()
        void hub.close()
      })
    }
    end(stream, hub)
    await hub.close()
    expect(reasons).toEqual([reason, reason, reason])
  })

  test('is the last one, when the name is free and the stream says that it is closed', () => {
    const hub = createHub()
    const stream = open(hub)
    const told: unknown[] = []
    const isIdle = reason === 'idle' // a stream with a subscriber is not
    if (!isIdle) stream.messages$.subscribe({ complete: () => told.push('complete') })
    stream.on('closed', () => told.push('closed', stream.closed, [...hub.streams()].length))
    stream.on('removed', () => told.push('removed'))
    hub.on('streamRemoved', () => told.push('streamRemoved'))
    end(stream, hub)
    const isRemoval = reason === 'removed' || reason === 'expired'
    const before = isRemoval ? ['streamRemoved', 'complete', 'removed'] : ['complete']
    expect(told).toEqual([...(isIdle ? [] : before), 'closed', true, 0])
  })

  test('comes to the other listeners, too, when one throws, and the error is told', () => {
    const hub = createHub()
    const stream = open(hub)
    const [second, error] = [vi.fn(), vi.fn()]
    stream.on('closed', () => {
      throw new Error('mine')
    })
    stream.on('closed', second).on('error', error)
    end(stream, hub)
    expect(second).toHaveBeenCalledOnce()
    expect(error.mock.calls).toMatchObject([[{ code: 'LISTENER_FAILED', cause: { message: 'mine' } }]])
    expect(stream.ledger().listenerErrors).toBe(1)
  })

  test('comes only to listeners that listen when the stream ends', () => {
    const hub = createHub()
    const stream = open(hub)
    const gone = vi.fn()
    stream.on('closed', gone).off('closed', gone)
    end(stream, hub)
    expect(gone).not.toHaveBeenCalled()
  })
})

describe('the event closed', () => {
  test('says that another process removed the stream', async () => {
    const bus = memoryBus()
    const [here, there] = [
      createHub({ transport: bus.transport() }),
      createHub({ transport: bus.transport() }),
    ]
    const closed = vi.fn()
    const stream = here.stream('s').on('closed', closed)
    await Promise.all([stream.subscribe(() => {}).ready, there.ready()])
    there.stream('s').remove()
    await there.flush()
    await tick()
    expect(closed.mock.calls).toEqual([[{ reason: 'removed', isLocal: false }]])
    await Promise.all([here.close(), there.close()])
  })

  test('comes within the fan-out in which a subscriber ends the stream', () => {
    const stream = createHub().stream('s')
    const told: string[] = []
    stream.on('closed', () => told.push('closed'))
    stream.subscribe(() => {
      stream.close()
      told.push('after close')
    })
    stream.subscribe(() => told.push('second'))
    stream.publish({})
    expect(told).toEqual(['closed', 'after close'])
  })

  test('is told however deep the listeners are nested that end the stream', () => {
    const stream = createHub().stream('s')
    const closed = vi.fn()
    let depth = 0
    stream.on('closed', closed).on('removed', closed)
    stream.on('refused', () => {
      if (++depth < 8) stream.tryPublish({ n: 1n as never })
      else stream.remove()
    })
    stream.tryPublish({ n: 1n as never })
    expect(closed).toHaveBeenCalledTimes(2)
  })

  test('lets its listeners open the next stream of the name, which it does not concern', () => {
    const hub = createHub()
    const closed = vi.fn()
    let next: Stream | undefined
    hub.stream('s').on('closed', () => {
      next = hub.stream('s').on('closed', closed) as Stream
    })
    hub.stream('s').close()
    expect([next?.closed, closed.mock.calls]).toEqual([false, []])
    expect(hub.stream('s')).toBe(next)
  })
})
