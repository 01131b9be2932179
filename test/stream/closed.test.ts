import { inspect } from 'node:util'
import { createHub, type Hub, type Stream } from 'rivulet'
import { observable } from 'rxjs'
import { describe, expect, test, vi } from 'vitest'
import { Hub as HubClass } from '../../src/hub/hub.ts'
import { Stream as StreamClass } from '../../src/stream/stream.ts'
import { passUntil, stopTime } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

/** What a call does after the end: `refuses` with the code, or works as it says. */
type Calls<Target> = Record<
  string,
  { refuses: (target: Target) => unknown } | { works: (target: Target) => unknown }
>

const noop = () => {}

const streamCalls: Calls<Stream> = {
  publish: { refuses: (stream) => stream.publish({}) },
  tryPublish: {
    works: (stream) => {
      const result = stream.tryPublish({})
      expect(result.ok === false && result.error.code).toBe(result.ok === false && result.code)
      expect(result.ok === false && result.code).toMatch(/^(STREAM|HUB)_CLOSED$/)
    },
  },
  publishWhenReady: { refuses: (stream) => stream.publishWhenReady({}) },
  publishConfirmed: { refuses: (stream) => stream.publishConfirmed({}) },
  publishLatest: { refuses: (stream) => stream.publishLatest({}) },
  subscribe: { refuses: (stream) => stream.subscribe(noop) },
  iterate: { refuses: (stream) => stream.iterate() },
  asyncIterator: { refuses: (stream) => stream[Symbol.asyncIterator]() },
  on: { refuses: (stream) => stream.on('lost', noop) },
  once: { refuses: (stream) => stream.once('lost', noop) },
  budget: { refuses: (stream) => stream.budget() },
  setTtl: { refuses: (stream) => stream.setTtl(5) },
  off: { works: (stream) => expect(stream.off('lost', noop)).toBe(stream) },
  close: { works: (stream) => expect(stream.close()).toBeUndefined() },
  remove: { works: (stream) => expect(stream.remove()).toBeUndefined() },
  ledger: { works: (stream) => expectLaws(stream.ledger()) },
  inspect: { works: (stream) => expect(inspect(stream)).toContain('closed: true') },
  name: { works: (stream) => expect(stream.name).toBe('s') },
  closed: { works: (stream) => expect(stream.closed).toBe(true) },
  ttlSeconds: { works: (stream) => expect(stream.ttlSeconds).toBe(60) },
  expiresAt: { works: (stream) => expect(stream.expiresAt).toBeInstanceOf(Date) },
  messages$: { works: (stream) => expect(completesAtOnce(stream.messages$)).toBe(true) },
  observable: {
    works: (stream) => expect(Reflect.get(stream, observable).call(stream)).toBe(stream.messages$),
  },
  subject: {
    works: (stream) => {
      const { refused } = stream.ledger()
      stream.subject.next({})
      expect(stream.ledger().refused.closed).toBe(refused.closed + 1)
      expect(completesAtOnce(stream.subject)).toBe(true)
    },
  },
}

const hubCalls: Calls<Hub> = {
  stream: { refuses: (hub) => hub.stream('s') },
  acquire: { refuses: (hub) => hub.acquire('s') },
  ready: { refuses: (hub) => hub.ready() },
  flush: { refuses: (hub) => hub.flush() },
  on: { refuses: (hub) => hub.on('error', noop) },
  once: { refuses: (hub) => hub.once('error', noop) },
  off: { works: (hub) => expect(hub.off('error', noop)).toBe(hub) },
  streams: { works: (hub) => expect([...hub.streams()]).toEqual([]) },
  tap: { refuses: (hub) => hub.tap(() => {}) },
  ledger: { works: (hub) => expectLaws(hub.ledger()) },
  close: { works: async (hub) => expect(await hub.close()).toEqual(hub.ledger()) },
  asyncDispose: {
    works: async (hub) => expect(await hub[Symbol.asyncDispose]()).toEqual(hub.ledger()),
  },
  inspect: { works: (hub) => expect(inspect(hub)).toContain("status: 'closed'") },
  name: { works: (hub) => expect(hub.name).toBe('default') },
  status: { works: (hub) => expect(hub.status).toBe('closed') },
}

function completesAtOnce(source: Stream['messages$']): boolean {
  const complete = vi.fn()
  source.subscribe({ complete })
  return complete.mock.calls.length === 1
}

/** Every public method, getter and symbol of a class, the constructor left out. */
function membersOf(prototype: object): string[] {
  return Reflect.ownKeys(prototype)
    .map((key) => String(key).replace(/^Symbol\((?:\w+\.)*?(\w+)(?:\.custom)?\)$|^@@/, '$1'))
    .filter((name) => name !== 'constructor')
    .sort()
}

/** Runs every call against what has ended. */
function testClosed<Target>(calls: Calls<Target>, end: () => Promise<Target> | Target, code: string): void {
  for (const [name, call] of Object.entries(calls)) {
    if ('refuses' in call) {
      test(`${name} gives ${code}`, async () => {
        const target = await end()
        // Through an async function, since some throw and others reject.
        await expect((async () => call.refuses(target))()).rejects.toMatchObject({ code })
      })
    } else {
      test(`${name} works`, async () => {
        await call.works(await end())
      })
    }
  }
}

function openStream(hub = createHub()): Stream {
  return hub.stream('s', { ttlSeconds: 60 }) as Stream
}

stopTime()

describe('every member of', () => {
  test.each<[string, object, object]>([
    ['Stream', StreamClass.prototype, streamCalls],
    ['Hub', HubClass.prototype, hubCalls],
  ])('%s is called below', (_, prototype, calls) => {
    expect(Object.keys(calls).sort()).toEqual(membersOf(prototype))
  })
})

describe.each<[string, (stream: Stream) => void]>([
  ['closed', (stream) => stream.close()],
  ['removed', (stream) => stream.remove()],
  ['expired', () => vi.advanceTimersByTime(60_000)],
  ['closed twice', (stream) => [stream.close(), stream.close()]],
])('after a stream was %s', (_, end) => {
  testClosed(
    streamCalls,
    () => {
      const stream = openStream()
      end(stream)
      return stream
    },
    'STREAM_CLOSED',
  )
})

describe('after its hub was closed, of a stream', () => {
  testClosed(
    streamCalls,
    async () => {
      const hub = createHub()
      const stream = openStream(hub)
      await hub.close()
      return stream
    },
    'HUB_CLOSED',
  )
})

describe('while its hub closes, of a stream', () => {
  testClosed(
    streamCalls,
    () => {
      const hub = createHub()
      const stream = openStream(hub)
      void hub.close()
      return stream
    },
    'HUB_CLOSED',
  )
})

describe.each<[string, (hub: Hub) => unknown]>([
  ['closed', (hub) => hub.close()],
  ['told to close', (hub) => void hub.close()],
])('after a hub was %s', (_, end) => {
  testClosed(
    hubCalls,
    async () => {
      const hub = createHub()
      await end(hub)
      return hub
    },
    'HUB_CLOSED',
  )
})

describe('what ends with a stream', () => {
  test('ends every subscription; unsubscribe and dispose stay harmless', async () => {
    const stream = openStream()
    const subscription = stream.subscribe(noop)
    stream.close()
    expect(subscription.closed).toBe(true)
    subscription.unsubscribe()
    subscription[Symbol.dispose]()
    await expect(subscription.ready).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('is a running fan-out: listeners that have not been called yet are not called', () => {
    const stream = openStream()
    const late = vi.fn()
    stream.subscribe(() => stream.close())
    stream.subscribe(late)
    stream.publish({})
    expect(late).not.toHaveBeenCalled()
  })

  test('is every wait: who stands in line is refused as closed', async () => {
    const stream = createHub({ nowMs: () => 0 }).stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    stream.publish({})
    const waiting = stream.publishWhenReady({})
    stream.publishLatest({}, { key: 'kept' })
    expect(stream.ledger().waiting).toBe(2)
    stream.close()
    await expect(waiting).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    expect(stream.ledger()).toMatchObject({ waiting: 0, accepted: 1, refused: { closed: 2 } })
    expect(vi.getTimerCount()).toBe(0)
    expectLaws(stream.ledger())
  })

  test('is every listener: a removal is told, nothing after it', () => {
    const stream = openStream()
    const [removed, refused] = [vi.fn(), vi.fn()]
    stream.on('removed', removed).on('refused', refused)
    stream.remove()
    stream.tryPublish({})
    stream.remove()
    expect(removed.mock.calls).toEqual([[{ reason: 'removed', isLocal: true }]])
    expect(refused).not.toHaveBeenCalled()
  })

  test('leaves what was accepted before to the transport', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    await hub.ready()
    const stream = hub.stream('s')
    stream.publish({ n: 1 })
    stream.close()
    await passUntil(hub.close())
    expect(transport.frames).toMatchObject([{ data: { n: 1 } }])
  })

  test('by a clock of the program leaves nothing accepted and nothing waiting', async () => {
    for (const room of [0, 1]) {
      let close = () => {}
      const hub = createHub({
        nowMs: () => {
          close()
          return 0
        },
      })
      for (const act of [
        (stream: Stream) => stream.publishWhenReady({}),
        async (stream: Stream) => stream.publishLatest({}),
      ]) {
        const stream = hub.stream('s', { limit: { ratePerSecond: 1, burst: 1 } }) as Stream
        if (room === 0) stream.publish({})
        stream.budget()
        close = () => stream.close()
        await expect(act(stream)).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
        expect(stream.ledger()).toMatchObject({ waiting: 0, accepted: 1 - room, refused: { closed: 1 } })
        close = () => {}
      }
      expect(hub.ledger().attempts).toBe(4 - 2 * room)
      expectLaws(hub.ledger())
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  test('by a clock at its turn refuses a queued message, counted once', async () => {
    const clock = { nowMs: 0, act: noop }
    const hub = createHub({
      nowMs: () => {
        clock.act()
        return clock.nowMs
      },
    })
    const stream = hub.stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    stream.publish({})
    const waiting = stream.publishWhenReady({})
    clock.nowMs = 1000
    clock.act = () => {
      clock.act = noop
      stream.close()
    }
    vi.advanceTimersByTime(1000)
    await expect(waiting).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    expect(stream.ledger()).toMatchObject({ attempts: 2, accepted: 1, refused: { closed: 1 } })
    expect(hub.ledger()).toEqual(stream.ledger())
  })

  test('is refused once, although a listener that is told has it aborted', async () => {
    const stream = createHub({ nowMs: () => 0 }).stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    const controller = new AbortController()
    stream.publish({})
    const first = stream.publishWhenReady({})
    const second = stream.publishWhenReady({}, { signal: controller.signal })
    stream.on('refused', () => controller.abort('enough'))
    stream.close()
    await expect(first).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    await expect(second).rejects.toBe('enough')
    expect(stream.ledger()).toMatchObject({ attempts: 3, waiting: 0, refused: { closed: 1, aborted: 1 } })
    expectLaws(stream.ledger())
  })

  test('is what a clock made wait that uses the stream when it is first read', async () => {
    let use: (() => void) | undefined
    const hub = createHub({
      nowMs: () => {
        const act = use
        use = undefined
        act?.()
        return 0
      },
    })
    const stream = hub.stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    let waiting: Promise<unknown> | undefined
    use = () => {
      stream.publish({})
      waiting = stream.publishWhenReady({})
    }
    expect(stream.tryPublish({})).toMatchObject({ code: 'RATE_LIMITED' })
    expect(stream.budget().available).toBe(0)
    stream.close()
    await expect(waiting).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    expect(stream.ledger().waiting).toBe(0)
    expectLaws(hub.ledger())
  })

  test('leaves no topic joined, whatever a clock does during subscribe', async () => {
    const transport = new ScriptedTransport()
    let close = () => {}
    const hub = createHub({
      transport,
      nowMs: () => {
        close()
        return 0
      },
    })
    await hub.ready()
    const stream = hub.stream('s')
    close = () => stream.close()
    stream.subscribe(noop)
    close = noop
    stream.close()
    await passUntil(hub.flush())
    expect(transport.joins).toEqual([])
    await passUntil(hub.close())
  })

  test('is in the final ledger, also when a listener closes the hub meanwhile', async () => {
    const hub = createHub({ nowMs: () => 0 })
    const stream = hub.stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    let final: Promise<unknown> | undefined
    stream.on('refused', () => {
      final ??= hub.close()
    })
    for (let n = 0; n < 3; n++) stream.publishLatest({ n }, { key: n })
    stream.close()
    expect(await final).toMatchObject({ attempts: 3, waiting: 0, refused: { closed: 2 } })
  })
})
