import type { Hub, Subscription } from 'rivulet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startProxy } from '../support/fault-proxy.ts'
import { closeLawfully, ENDPOINT_KINDS, ending, eventually, openLive } from '../support/live.ts'

// Rows 17, 18, 22, 28 and 40: coming and going that overtakes its own confirmation, and drops in the midst of it.
const STREAMS = Array.from({ length: 20 }, (_, index) => `race ${index}`)
const STEPS = 1_200
const DROP_EVERY = 500
const streamDefaults = { limit: false } as const

// Node 20 has no WebSocket of its own.
vi.stubGlobal('WebSocket', WebSocket)

interface Seat {
  readonly name: string
  readonly heard: unknown[]
  subscription: Subscription | undefined
}

test.each(ENDPOINT_KINDS)(
  'random subscriptions with drops end in the right state over $kind',
  async ({ kind, start, query }) => {
    const broker = await ending(start(kind.startsWith('mqtt') ? { config: 'set_tcp_nodelay true' } : {}))
    const proxy = await startProxy(broker)
    onTestFinished(() => proxy.close())
    const restless = await openLive({ transport: proxy.url.replace(/\/$/, '') + query, streamDefaults })
    restless.on('error', () => {})
    const direct = await openLive({ transport: broker.url + query, streamDefaults })
    const seats = STREAMS.map((name): Seat => ({ name, heard: [], subscription: undefined }))
    const random = randomFrom(3)

    for (let step = 1; step <= STEPS; step++) {
      const seat = seats[random(seats.length)] as Seat
      direct.stream(seat.name).publish({ step })
      toggle(restless, seat)
      // How many turns of the microtasks later the same stream is left or wanted again, if at all.
      for (let turns = random(12); turns > 0 && turns < 6; turns--) {
        await undefined
        if (turns === 1) toggle(restless, seat)
      }
      const pace = random(8)
      if (pace === 0) await new Promise(setImmediate)
      if (pace === 1) await seat.subscription?.ready.catch(() => {})
      if (step % DROP_EVERY === 0) proxy.drop()
    }
    proxy.drop()
    await eventually(() => restless.status).toBe('down')
    for (let toggles = 0; toggles < 3 * seats.length; toggles++)
      toggle(restless, seats[random(seats.length)] as Seat)
    await restless.ready()
    await Promise.all(seats.map(({ subscription }) => subscription?.ready))
    await isSettled(direct, restless)

    for (const { heard } of seats) {
      const steps = heard.map((data) => Reflect.get(data as object, 'step'))
      expect(new Set(steps).size).toBe(steps.length)
      heard.length = 0
    }
    const before = restless.ledger()
    for (const { name } of seats) direct.stream(name).publish({ last: name })
    await isSettled(direct, restless)
    for (const { name, heard, subscription } of seats) {
      expect(heard, name).toEqual(subscription === undefined ? [] : [{ last: name }])
    }
    const seated = seats.filter(({ subscription }) => subscription !== undefined).length
    expect(seated).toBeGreaterThan(0)
    expect(seated).toBeLessThan(seats.length)
    expect(restless.ledger().received - before.received).toBe(seated + 1)
    const [ledger] = await closeLawfully(restless, direct)
    expect(ledger?.dropped).toMatchObject({ duplicate: 0, malformed: 0 })
  },
)

function toggle(hub: Hub, seat: Seat): void {
  if (seat.subscription === undefined) {
    seat.subscription = hub.stream(seat.name).subscribe(({ data }) => seat.heard.push(data))
  } else {
    seat.subscription.unsubscribe()
    seat.subscription = undefined
  }
}

/** Waits until a message gets through that comes after all the others on the same two connections. */
async function isSettled(from: Hub, to: Hub): Promise<void> {
  const name = `settled ${settled++}`
  let heard = 0
  await to.stream(name).subscribe(() => heard++).ready
  from.stream(name).publish({})
  await eventually(() => heard).toBe(1)
}

let settled = 0

/** A small generator (Numerical Recipes, ranqd1), so that a failure can be seen again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
