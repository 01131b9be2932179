import { createHub } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { topicOf } from '../../src/message/topic.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

afterEach(() => void vi.useRealTimers())

const ONE_A_SECOND = { limit: { ratePerSecond: 1, burst: 1 } } as const

describe('fake timers that are installed after the hub was made', () => {
  test('govern the bucket and the line', async () => {
    const stream = createHub().stream('s', ONE_A_SECOND)
    stream.publish({})
    vi.useFakeTimers()
    expect(stream.tryPublish({}).ok).toBe(false)
    vi.advanceTimersByTime(1_000)
    expect(stream.tryPublish({}).ok).toBe(true)
    const waiting = stream.publishWhenReady({ n: 2 })
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: 2_000 })
    vi.advanceTimersByTime(1_000)
    expect((await waiting).data).toEqual({ n: 2 })
  })

  test('govern the expiry of a stream', () => {
    const stream = createHub().stream('s')
    vi.useFakeTimers()
    stream.setTtl(5)
    expect(stream.expiresAt).toEqual(new Date(Date.now() + 5_000))
    vi.advanceTimersByTime(4_999)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
  })

  test('need not be advanced for flush and close of a local hub', async () => {
    const hub = createHub()
    hub.stream('s').publish({})
    vi.useFakeTimers()
    await hub.flush()
    expect((await hub.close()).local).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('need not be advanced for flush of a hub whose transport answers', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    await hub.ready()
    vi.useFakeTimers()
    hub.stream('s').publish({})
    await hub.flush()
    expect(hub.ledger()).toMatchObject({ confirmed: 1, inFlight: 0 })
  })
})

describe('a hub in an environment of its own', () => {
  /** Time and chance that stand still until they are moved by hand. */
  function open(options = {}, random = () => 0.5) {
    const timers = new Set<{ action: () => void; atMs: number; holdsProcess: boolean }>()
    const now = { ms: 5_000 }
    const environment = {
      nowMs: () => now.ms,
      dateMs: () => 1_000_000 + now.ms,
      random,
      setTimer(action: () => void, waitMs: number, holdsProcess: boolean) {
        const timer = { action, atMs: now.ms + waitMs, holdsProcess }
        timers.add(timer)
        return () => void timers.delete(timer)
      },
    }
    const pass = (ms: number) => {
      now.ms += ms
      for (const timer of [...timers]) {
        if (timer.atMs > now.ms) continue
        timers.delete(timer)
        timer.action()
      }
    }
    return { hub: createHubIn(environment, options), pass, timers }
  }

  test('takes its clock and its timers from there', async () => {
    const { hub, pass, timers } = open()
    const stream = hub.stream('s', ONE_A_SECOND)
    stream.publish({})
    const waiting = stream.publishWhenReady({ n: 2 })
    expect(timers.size).toBe(1)
    pass(1_000)
    expect((await waiting).data).toEqual({ n: 2 })
    expect(timers.size).toBe(0)
  })

  test('holds the process for an error to be thrown, not for the end of a stream', () => {
    const { hub, timers } = open()
    const stream = hub.stream('s', { ttlSeconds: 5 })
    stream.messages$.subscribe(() => {
      throw new Error('to be thrown in a timer')
    })
    stream.publish({})
    expect([...timers].map(({ atMs, holdsProcess }) => [atMs, holdsProcess])).toEqual([
      [10_000, false],
      [5_000, true],
    ])
  })

  test('takes the date from there', () => {
    const { hub, pass } = open()
    const stream = hub.stream('s', { ttlSeconds: 5 })
    expect(stream.expiresAt).toEqual(new Date(1_010_000))
    pass(5_000)
    expect(stream.closed).toBe(true)
  })

  test('takes its origins from there: the same chance gives the same sids', () => {
    const sids = [open(), open()].map(({ hub }) => hub.stream('s').publish({}).sid)
    expect(sids[0]).toBe(sids[1])
    expect(sids[0]).toBe(`TZ${'800000'.repeat(2)}00000000000000000001`)
  })

  test('counts its streams in the last four digits of their origins', () => {
    const { hub } = open()
    const origins = ['a', 'b', 'a'].map((name) => {
      const stream = hub.stream(name)
      const { sid } = stream.publish({})
      stream.close()
      return sid.slice(14, 18)
    })
    expect(origins).toEqual(['0000', '0001', '0002'])
  })

  test('draws further digits after 65 536 streams, and still knows its earlier sids', async () => {
    const transport = new ScriptedTransport()
    let drawn = 0
    const { hub } = open({ transport }, () => ++drawn / 100)
    await hub.ready()
    const originOf = (name: string) => hub.stream(name).publish({}).sid.slice(2, 18)
    const first = originOf('first')
    hub.stream('first').close()
    for (let nth = 1; nth < 65_536; nth++) {
      const stream = hub.stream('next')
      stream.publish({})
      stream.close()
    }
    const last = originOf('last')
    expect(last.slice(12)).toBe('0000')
    expect(last.slice(0, 12)).not.toBe(first.slice(0, 12))
    const stream = hub.stream('last')
    const listener = vi.fn()
    await stream.subscribe(listener).ready
    for (const origin of [first, last]) {
      transport.host.receive(
        topicOf('default', 'last'),
        `{"data":{},"sid":"TZ${origin}${'0'.repeat(15)}1","t":0}`,
      )
    }
    expect(stream.ledger().dropped.echo).toBe(2)
    expect(listener).not.toHaveBeenCalled()
  })

  test('checks its options as createHub does', () => {
    expect(() => open({ name: 'a b' })).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
    expect(() => open({ nmae: 'a' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })
})

describe('a clock', () => {
  test.each([
    ['hours', 5 * 3_600_000],
    ['a millisecond', 1],
  ])('that steps back by %s lets publishing go on at the rate', (_, stepMs) => {
    let nowMs = 1e9
    const stream = createHub({ nowMs: () => nowMs }).stream('s', ONE_A_SECOND)
    expect(stream.tryPublish({}).ok).toBe(true)
    nowMs -= stepMs
    expect(stream.tryPublish({})).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_000 })
    nowMs += 999
    expect(stream.tryPublish({}).ok).toBe(false)
    nowMs += 1
    expect(stream.tryPublish({}).ok).toBe(true)
  })
})
