import { createHub, type HubOptions } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NONE_DROPPED as NONE } from '../support/dropped.ts'
import { tick, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const TOPIC = 'rivulet/default/news' as never

/** A hub that is up; `subscribe` listens on its stream, `receive` hands it a frame. */
async function open(options: HubOptions = {}) {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport, ...options })
  await hub.ready()
  const subscribe = () => {
    const heard: unknown[] = []
    const subscription = hub.stream<{ n: number }>('news').subscribe(({ data }) => heard.push(data.n))
    return { heard, subscription }
  }
  const receive = (frame: object | string) =>
    transport.host.receive(TOPIC, typeof frame === 'string' ? frame : JSON.stringify(frame))
  return { hub, transport, subscribe, receive }
}

describe('a stream whose last subscriber has left', () => {
  test('leaves its topic at the end of the tick, and joins it for the next one', async () => {
    const { transport, subscribe } = await open()
    const { subscription } = subscribe()
    await subscription.ready
    subscription.unsubscribe()
    expect(transport.left).toEqual([])
    await tick()
    expect(transport.left).toEqual([TOPIC])
    await subscribe().subscription.ready
    expect(transport.joins.map(({ topic }) => topic)).toEqual([TOPIC, TOPIC])
  })

  test('counts what arrives all the same on the hub as notJoined, whatever it is', async () => {
    const { hub, subscribe, receive } = await open()
    const { heard, subscription } = subscribe()
    await subscription.ready
    receive(wire(1, 0))
    subscription.unsubscribe()
    for (const frame of [wire(1, 0), wire(2, 0), 'junk']) receive(frame)
    expect(heard).toEqual([1])
    expect(hub.stream('news').ledger()).toMatchObject({ received: 1, dropped: NONE })
    expect(hub.ledger()).toMatchObject({ received: 4, dropped: { ...NONE, notJoined: 3 } })
  })

  test('knows earlier messages for the next one, and counts none between as missed', async () => {
    const { hub, subscribe, receive } = await open()
    const first = subscribe()
    await first.subscription.ready
    receive(wire(1, 0))
    first.subscription.unsubscribe()
    await tick()
    const next = subscribe()
    await next.subscription.ready
    for (const sequence of [1, 5, 7]) receive(wire(sequence, 0))
    expect(next.heard).toEqual([5, 7])
    expect(hub.stream('news').ledger()).toMatchObject({ missed: 1, dropped: { ...NONE, duplicate: 1 } })
  })
})

test('a clock that ends a stream in subscribe: its topic is not joined', async () => {
  let act = () => {}
  const { hub, transport, subscribe, receive } = await open({
    nowMs: () => {
      act()
      return performance.now()
    },
  })
  const stream = hub.stream('news')
  act = () => stream.close()
  subscribe()
  act = () => {}
  await tick()
  expect([stream.closed, transport.joins]).toEqual([true, []])
  const { heard, subscription } = subscribe()
  await subscription.ready
  receive(wire(1, 0))
  expect(heard).toEqual([1])
})
