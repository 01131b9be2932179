import { type HubOptions, RivuletError } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

// The runtime's own time stands still: what went by it would never happen.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'performance', 'Date'] })
})
afterEach(() => {
  const timers = vi.getTimerCount()
  vi.useRealTimers()
  expect(timers).toBe(0)
})

function openByHand(options: HubOptions = {}) {
  const environment = new HandMadeEnvironment()
  const transport = new ScriptedTransport()
  const hub = createHubIn(environment, { transport, ...options })
  const errors: RivuletError[] = []
  hub.on('error', (error) => errors.push(error))
  return { environment, transport, hub, errors, topic: 'rivulet/default/news' as never }
}

describe('a hub on hand-made time', () => {
  test('connects, tries again, and is up when the transport is', async () => {
    const { environment, transport, hub } = openByHand()
    transport.answers.open = 'resolve'
    await hub.ready()
    transport.answers.open = new Error('refused')
    transport.host.down()
    await environment.pass(3_000)
    expect(hub.status).toBe('down')
    expect(transport.opens.length).toBeGreaterThan(3)
    transport.answers.open = 'resolve'
    await environment.pass(1_000)
    expect(hub.status).toBe('up')
  })

  test('gives up an opening, a join, a barrier and a closing at their deadlines', async () => {
    const { environment, transport, hub, errors } = openByHand({ timeouts: { openMs: 5_000, joinMs: 2_000 } })
    await hub.ready()
    Object.assign(transport.answers, { join: 'hang', flush: 'hang', open: 'hang', close: 'hang' })
    hub.stream('news').subscribe(() => {})
    await environment.pass(2_000)
    expect(transport.joins[0]?.signal.aborted).toBe(true)
    hub.stream('news').publish({})
    await environment.pass(4_100)
    expect(transport.flushes.map(({ signal }) => signal.aborted)).toEqual([true, true])
    expect(hub.status).toBe('down')
    await environment.pass(7_000)
    expect(transport.opens[1]?.signal.aborted).toBe(true)
    expect(errors.length).toBeGreaterThanOrEqual(3)
    const closing = hub.close()
    await environment.pass(5_000)
    await closing
    expect(environment.timers).toBe(0)
  })

  test('meters, waits in line, expires and judges lateness by it', async () => {
    const { environment, transport, hub, topic } = openByHand()
    const options = { limit: { ratePerSecond: 1, burst: 1 }, ttlSeconds: 60 } as const
    const stream = hub.stream<{ n: number }>('news', options)
    const heard: unknown[] = []
    await stream.subscribe(({ data }) => heard.push(data)).ready
    expect(stream.expiresAt?.getTime()).toBe(environment.dateMs() + 60_000)
    stream.publish({ n: 1 })
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: 1_000 })
    const waiting = stream.publishWhenReady({ n: 2 })
    await environment.pass(999)
    expect(heard).toEqual([{ n: 1 }])
    await environment.pass(1)
    await waiting
    await environment.pass(10_000)
    const send = (n: number, t: number) =>
      transport.host.receive(
        topic,
        `{"data":{"n":${n}},"sid":"TZfeedfacecafebeef${n.toString(16).padStart(16, '0')}","t":${t}}`,
      )
    send(3, 0)
    await environment.pass(10_000)
    send(4, 4_980)
    send(5, 5_000)
    expect(heard).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 5 }])
    expect(stream.ledger().dropped.stale).toBe(1)
    await environment.pass(40_000)
    expect(stream.closed).toBe(true)
  })

  test('runs barriers while it listens, joins again after a refusal, and confirms', async () => {
    const { environment, transport, hub } = openByHand({ timeouts: { idleMs: 2_000 } })
    transport.answers.join = new Error('not allowed')
    const subscription = hub.stream('news').subscribe(() => {})
    await expect(subscription.ready).rejects.toSatisfy(RivuletError.is)
    transport.answers.join = 'resolve'
    const again = subscription.ready
    await environment.pass(200)
    await again
    hub.stream('news').publish({})
    await environment.pass(20)
    expect(hub.stream('news').ledger().confirmed).toBe(1)
    const before = transport.flushes.length
    await environment.pass(20_000)
    expect(transport.flushes.length - before).toBeGreaterThanOrEqual(9)
  })

  test('draws its origins from it: two hubs of one chance give the same sids', async () => {
    const sids = [openByHand(), openByHand()].map(({ hub }) => hub.stream('news').publish({}).sid)
    expect(sids[0]).toBe(sids[1])
  })
})

test('an environment may be a class whose methods use this', async () => {
  class Own {
    readonly #inner = new HandMadeEnvironment()
    nowMs = () => this.#inner.nowMs()
    dateMs = () => this.#inner.dateMs()
    random = () => this.#inner.random()
    setTimer(action: () => void, waitMs: number): () => void {
      return this.#inner.setTimer(action, waitMs)
    }
  }
  const hub = createHubIn(new Own(), { transport: new ScriptedTransport() })
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  await Promise.race([hub.ready(), new Promise((resolve) => setImmediate(resolve))])
  expect([hub.status, errors]).toEqual(['up', []])
  await hub.close()
})
