import { type Hub, openHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { startMosquitto, startNats } from '../support/brokers.ts'
import {
  BROKER_KINDS,
  closeLawfully,
  ending,
  eventually,
  makeLive,
  openLive,
  transportOf,
} from '../support/live.ts'
import { startRedis } from '../support/redis-servers.ts'

// What pages find where no gateway is, is tested with @rivulet/websocket.
// Time for a few dials that end at once.
const TIMEOUT_MS = 1_000

const FULL = {
  nats: () => startNats({ config: 'max_connections: 1' }),
  'mqtt 5': () => startMosquitto({ config: 'max_connections 1' }),
  'mqtt 3.1.1': () => startMosquitto({ config: 'max_connections 1' }),
  redis: () => startRedis({ config: 'maxclients 1' }),
}

describe.each(BROKER_KINDS)('over $kind', (kind) => {
  // Row 6.
  test('a broker that is down at the start is waited for, and hears nothing of before', async () => {
    const broker = await ending(kind.start())
    await broker.kill()
    const url = broker.url + kind.query
    const early = await makeEarly(url)
    const heard = note(early)
    early.stream('absent').publish({ n: 1 })
    await expectUnavailable(url, /refused/i)
    expect(early.status).not.toBe('up')
    expect(heard).toEqual([{ n: 1 }])
    expect(early.ledger()).toMatchObject({ accepted: 1, lost: { offline: 1 } })

    await broker.start()
    const late = await openLive(url)
    const heardLate = note(late)
    await late.stream('absent').subscribe(() => {}).ready
    await early.ready()
    early.stream('absent').publish({ n: 2 })
    late.stream('absent').publish({ n: 3 })
    await eventually(() => [heard, heardLate]).toEqual([
      [{ n: 1 }, { n: 2 }, { n: 3 }],
      [{ n: 3 }, { n: 2 }],
    ])
    await closeLawfully(early, late)
  })

  // Row 8.
  test('a broker that has no room is given up in time, and comes up once there is some', async () => {
    const broker = await ending(FULL[kind.kind]())
    const url = broker.url + kind.query
    const first = await openLive(url)
    await expectUnavailable(url, /No (MQTT|NATS|Redis) server took/)
    const patient = await makeEarly(url)
    expect(first.status).toBe('up')
    await closeLawfully(first)
    await patient.ready()
    patient.stream('absent').publish({ n: 1 })
    await patient.flush()
    expect(patient.ledger()).toMatchObject({ accepted: 1, confirmed: 1 })
  })

  // Row 9, with more than one broker to go to.
  test('a list of brokers is tried until one is there, and again when that one is gone', async () => {
    const brokers = [await ending(kind.start()), await ending(kind.start())] as const
    const urls = brokers.map(({ url }) => url + kind.query)
    await brokers[0].kill()
    const hub = await openLive(urls)
    hub.on('error', () => {})
    const heard = note(hub)
    await expectHears(heard, urls[1] as string)
    await brokers[1].kill()
    await eventually(() => hub.status).toBe('down')
    await brokers[0].start()
    await hub.ready()
    await expectHears(heard, urls[0] as string)
  })
})

/** A hub whether its broker is there or not. */
async function makeEarly(url: string): Promise<Hub> {
  const hub = makeLive({ transport: await transportOf(url) })
  hub.on('error', () => {})
  return hub
}

async function expectUnavailable(url: string, reason: RegExp): Promise<void> {
  await expect(openHub(url, { timeoutMs: TIMEOUT_MS })).rejects.toMatchObject({
    code: 'TRANSPORT_UNAVAILABLE',
    message: expect.stringMatching(reason),
    cause: expect.objectContaining({ code: 'TRANSPORT_UNAVAILABLE' }),
  })
}

function note(hub: Hub): unknown[] {
  const heard: unknown[] = []
  hub.stream('absent').subscribe(({ data }) => heard.push(data))
  return heard
}

/** Expects that what is published on a broker is heard. */
async function expectHears(heard: readonly unknown[], url: string): Promise<void> {
  const publisher = await openLive(url)
  publisher.on('error', () => {})
  publisher.stream('absent').publish({ url })
  await eventually(() => heard).toContainEqual({ url })
}
