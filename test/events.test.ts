import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { Events } from '../src/events.ts'
import { stopTime, tick } from './support/fake-time.ts'
import { expectLaws } from './support/ledger-laws.ts'

stopTime()

describe('the events of a stream', () => {
  test('tell of every message after its fan-out, with isLocal', () => {
    const stream = createHub().stream('s')
    const log: unknown[] = []
    stream.on('messagePublished', ({ message, isLocal }) => log.push([message.data, isLocal]))
    stream.subscribe(() => log.push('subscriber'))
    stream.publish({ n: 1 })
    expect(log).toEqual(['subscriber', [{ n: 1 }, true]])
  })

  test('tell of a message from another process with isLocal false, and join no topic by listening', async () => {
    const bus = memoryBus()
    const [here, there] = [1, 2].map(() => createHub({ transport: bus.transport() }))
    await Promise.all([here?.ready(), there?.ready()])
    const stream = here?.stream('s') as Stream
    const heard: boolean[] = []
    stream.on('messagePublished', ({ isLocal }) => heard.push(isLocal))
    there?.stream('s').publish({})
    await tick()
    expect(heard).toEqual([])
    await stream.subscribe(() => {}).ready
    there?.stream('s').publish({})
    await tick()
    expect(heard).toEqual([false])
  })

  test('tell of every refusal of every verb, with its code, and not of what is accepted', async () => {
    const stream = createHub().stream('s', { limit: { ratePerSecond: 0, burst: 1 }, maxWaiting: 0 })
    const codes: string[] = []
    stream.on('refused', (refusal) => codes.push(refusal.code))
    stream.tryPublish({ n: 1n } as never)
    stream.publish({})
    stream.tryPublish({})
    expect(() => stream.publish({})).toThrow()
    expect(() => stream.publishLatest({})).toThrow()
    await stream.publishWhenReady({}).catch(() => {})
    stream.subject.next({})
    expect(codes).toEqual([
      'INVALID_DATA',
      'RATE_LIMITED',
      'RATE_LIMITED',
      'WAITING_LINE_FULL',
      'WAITING_LINE_FULL',
      'RATE_LIMITED',
    ])
  })

  test('tell of what was lost, why and how many', async () => {
    const hub = createHub({ transport: memoryBus().transport() })
    const stream = hub.stream('s')
    const lost: unknown[] = []
    stream.on('lost', (loss) => lost.push(loss))
    stream.publish({})
    stream.publish({})
    await tick()
    expect(lost).toEqual([{ reason: 'offline', count: 2 }])
    expect(stream.ledger().lost).toEqual({ offline: 2, congested: 0, failed: 0 })
  })

  test('tell of a removal: by remove, by expiry, and not by close', async () => {
    const hub = createHub()
    const log: unknown[] = []
    hub.on('streamRemoved', (removal) => log.push(removal))
    for (const end of ['remove', 'setTtl', 'close'] as const) {
      const stream = hub.stream(end)
      stream.on('removed', (removal) => log.push([end, removal]))
      if (end === 'setTtl') stream.setTtl(1)
      else stream[end]()
    }
    vi.advanceTimersByTime(1000)
    expect(log).toEqual([
      { name: 'remove', reason: 'removed', isLocal: true },
      ['remove', { reason: 'removed', isLocal: true }],
      { name: 'setTtl', reason: 'expired', isLocal: true },
      ['setTtl', { reason: 'expired', isLocal: true }],
    ])
  })

  test('reach every listener in order although one throws, and count that', () => {
    const stream = createHub().stream('s')
    const log: unknown[] = []
    stream.on('error', (error) => log.push(String(error)))
    stream.on('messagePublished', () => {
      throw new Error('listener')
    })
    stream.on('messagePublished', () => log.push('second'))
    stream.publish({})
    expect(log).toEqual(['Error: listener', 'second'])
    expect(stream.ledger().listenerErrors).toBe(1)
  })

  test('report what a listener of error throws to the hub, else the console, never to that listener again', () => {
    const console = vi.spyOn(globalThis.console, 'error').mockImplementation(() => {})
    const hub = createHub()
    const stream = hub.stream('s')
    const calls: string[] = []
    stream.on('error', (error) => {
      calls.push(String(error))
      throw new Error('worse')
    })
    stream.subscribe(() => {
      throw new Error('bad')
    })
    stream.publish({})
    expect(calls).toEqual(['Error: bad'])
    expect(console.mock.calls.map(([, error]) => String(error))).toEqual(['Error: worse'])
    const ofHub: string[] = []
    hub.on('error', (error) => ofHub.push(String(error)))
    stream.publish({})
    expect(ofHub).toEqual(['Error: worse'])
    expect(stream.ledger()).toMatchObject({ accepted: 2, listenerErrors: 4 })
    console.mockRestore()
  })

  test('end with off, for that listener only', () => {
    const stream = createHub().stream('s')
    const [stays, goes] = [vi.fn(), vi.fn()]
    expect(stream.off('refused', goes)).toBe(stream)
    expect(stream.on('messagePublished', stays).on('messagePublished', goes)).toBe(stream)
    stream.publish({})
    stream.off('messagePublished', goes)
    stream.publish({})
    expect([stays.mock.calls.length, goes.mock.calls.length]).toEqual([2, 1])
  })

  test('queue what a listener publishes behind the message it was told of', () => {
    const stream = createHub().stream<{ n: number }>('s')
    const log: unknown[] = []
    stream.on('messagePublished', ({ message }) => {
      if (message.data.n === 1) stream.publish({ n: 2 })
      log.push(`told ${message.data.n}`)
    })
    stream.subscribe((message) => log.push(`delivered ${message.data.n}`))
    stream.publish({ n: 1 })
    expect(log).toEqual(['delivered 1', 'told 1', 'delivered 2', 'told 2'])
  })

  test('survive a listener of refused that publishes again without end', () => {
    const stream = createHub().stream('s', { limit: { ratePerSecond: 0, burst: 1 } })
    stream.on('error', () => {})
    stream.publish({})
    stream.on('refused', () => stream.tryPublish({}))
    expect(stream.tryPublish({})).toMatchObject({ code: 'RATE_LIMITED' })
    expectLaws(stream.ledger())
    expect(stream.ledger().listenerErrors).toBe(0)
  })

  test('call no later listener once an earlier one has closed the stream, and take no new one', () => {
    const stream = createHub().stream('s')
    const later = vi.fn()
    stream.on('messagePublished', () => stream.close())
    stream.on('messagePublished', later)
    stream.publish({})
    expect(later).not.toHaveBeenCalled()
    expect(() => stream.on('refused', later)).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
    expect(() => stream.off('refused', later)).not.toThrow()
    stream.tryPublish({})
    expect(later).not.toHaveBeenCalled()
  })
})

describe('events', () => {
  // RELIABILITY 38
  test('count a listener whose promise rejects like one that throws, and let no rejection go unhandled', async () => {
    const stream = createHub().stream('s')
    const errors: unknown[] = []
    stream.on('error', (error) => errors.push(error))
    stream.on('messagePublished', () => Promise.reject(new Error('late')))
    stream.publish({})
    await tick()
    expect(errors).toEqual([new Error('late')])
    expect(stream.ledger().listenerErrors).toBe(1)
  })

  test('build a payload only when somebody listens, and once for all of them', () => {
    const events = new Events<{ ping: number }>(() => {})
    const payload = vi.fn(() => 1)
    events.emit('ping', payload)
    events.off('ping', () => {})
    events.clear()
    const listener = vi.fn()
    events.on('ping', listener)
    events.on('ping', listener)
    events.emit('ping', payload)
    events.off('ping', listener)
    events.emit('ping', payload)
    expect(payload).toHaveBeenCalledTimes(1)
    expect(listener.mock.calls).toEqual([[1], [1]])
    expect(events.has('ping')).toBe(false)
  })

  test('tell of which event a listener threw', () => {
    const thrown: unknown[] = []
    const events = new Events<{ ping: number }>((error, event) => thrown.push([error, event]))
    events.on('ping', () => {
      throw 'up'
    })
    events.emit('ping', () => 1)
    expect(thrown).toEqual([['up', 'ping']])
  })

  test('take names that objects have by themselves', () => {
    const events = new Events<Record<string, number>>(() => {})
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const listener = vi.fn()
      expect(events.has(name)).toBe(false)
      events.on(name, listener)
      events.emit(name, () => 1)
      expect(listener).toHaveBeenCalledTimes(1)
    }
  })

  test('that their own listeners cause are told a few levels deep, then only counted', () => {
    const stream = createHub({ nowMs: () => 0 }).stream('s', { limit: { ratePerSecond: 0, burst: 1 } })
    const [refused, error] = [
      vi.fn(() => void stream.tryPublish({})),
      vi.fn(() => void stream.tryPublish({})),
    ]
    stream.on('refused', refused).on('error', error)
    stream.publish({})
    for (let nth = 1; nth <= 2; nth++) {
      stream.tryPublish({})
      expect(refused).toHaveBeenCalledTimes(8 * nth)
      expect(stream.ledger().refused.rateLimited).toBe(9 * nth)
    }
    expect(error).not.toHaveBeenCalled()
    expectLaws(stream.ledger())
  })
})
