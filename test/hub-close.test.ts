import { createHub, type Hub } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { passUntil, stopTime, tick } from './support/fake-time.ts'
import { expectLaws } from './support/ledger-laws.ts'
import { ScriptedTransport } from './support/scripted-transport.ts'

stopTime()

function linked(transport = new ScriptedTransport()): { hub: Hub; transport: ScriptedTransport } {
  const hub = createHub({ transport })
  hub.on('error', () => {})
  return { hub, transport }
}

describe('hub.close', () => {
  test('ends every stream and resolves to the final ledger', async () => {
    const hub = createHub()
    const stream = hub.stream('a')
    stream.publish({})
    const closing = hub.close()
    expect([hub.status, stream.closed]).toEqual(['closed', true])
    expect(await closing).toMatchObject({ attempts: 1, accepted: 1, subscribers: 0 })
    expect(await closing).toEqual(hub.ledger())
  })

  // RELIABILITY 30, 31
  test('hands over what was published before, and confirms it', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const stream = hub.stream('a', { limit: false })
    for (let n = 0; n < 1000; n++) stream.publish({ n })
    const ledger = await passUntil(hub.close())
    expect(transport.frames.flat()).toHaveLength(1000)
    expect(ledger).toMatchObject({ accepted: 1000, confirmed: 1000, inFlight: 0 })
    expectLaws(ledger)
  })

  test('is idempotent: every call gives the same promise', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const closing = hub.close()
    expect(hub.close()).toBe(closing)
    await passUntil(closing)
    expect(hub.close()).toBe(closing)
    expect(transport.closes).toHaveLength(1)
  })

  test('may be called by what ends with a stream, and still closes the transport once', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const closings: unknown[] = []
    hub.stream('a').messages$.subscribe({ complete: () => closings.push(hub.close()) })
    hub.stream('b', { limit: { burst: 1 } }).on('refused', () => closings.push(hub.close()))
    hub.stream('b').publish({})
    hub.stream('b').publishLatest({})
    const closing = hub.close()
    expect(closings).toEqual([closing, closing])
    expect(closings.every((other) => other === closing)).toBe(true)
    await passUntil(closing)
    expect(transport.closes).toHaveLength(1)
  })

  test.each(['open', 'flush', 'close', 'join'] as const)(
    'is bounded in time when the transport never answers %s',
    async (call) => {
      const transport = new ScriptedTransport()
      transport.answers[call] = 'hang'
      const { hub } = linked(transport)
      hub.stream('a').subscribe(() => {})
      await tick()
      hub.stream('a').publish({})
      const startedMs = performance.now()
      const ledger = await passUntil(hub.close())
      expect(performance.now() - startedMs).toBeLessThanOrEqual(5000)
      expect(ledger.inFlight).toBe(0)
      expectLaws(ledger)
    },
  )

  test('ends reconnecting at once', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = new Error('away')
    const { hub } = linked(transport)
    await tick()
    await passUntil(hub.close())
    const { length } = transport.opens
    vi.advanceTimersByTime(60_000)
    await tick()
    expect(transport.opens).toHaveLength(length)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('equals Symbol.asyncDispose', async () => {
    const hub = createHub()
    expect(hub[Symbol.asyncDispose]).toBe(hub.close)
    await hub[Symbol.asyncDispose]()
    expect(hub.status).toBe('closed')
  })
})
