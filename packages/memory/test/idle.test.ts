import { memoryBus } from '@rivulet/memory'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { type Client, connect, send, TOPIC } from './client.ts'

describe('no timer is left', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('while no frame is in flight', async () => {
    const bus = memoryBus({ delayMs: [1, 5], reorder: 0.5 })
    const [a] = [await connect(bus), await connect(bus, TOPIC)]
    expect(vi.getTimerCount()).toBe(0)
    send(a, '1', '2', '3')
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(100)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('when the receiver of frames in flight closes', async () => {
    const bus = memoryBus({ delayMs: [60_000, 60_000] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, '1', '2')
    await b.transport.close(endless)
    expect(vi.getTimerCount()).toBe(0)
    expect(bus.counts()).toMatchObject({ sent: 2, left: 2 })
  })

  test('when the bus goes down', async () => {
    const bus = memoryBus({ delayMs: [60_000, 60_000] })
    const [a] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, '1')
    bus.down()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('when all close while frames wait for their next turn', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    await sendUntilTimer(a)
    for (const { transport } of [a, b]) await transport.close(endless)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('while a freeze pauses frames in flight', async () => {
    const bus = memoryBus({ delayMs: [1, 1] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, '1')
    bus.freeze()
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(10)
    bus.thaw()
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(b.host.texts()).toEqual(['1'])
    expect(vi.getTimerCount()).toBe(0)
  })
})

/** Sends in so many turns of one task that the bus waits for a timer. */
async function sendUntilTimer(client: Client): Promise<void> {
  for (let turns = 0; vi.getTimerCount() === 0; turns++) {
    expect(turns).toBeLessThan(2_000)
    send(client, 'x')
    await Promise.resolve()
  }
}
