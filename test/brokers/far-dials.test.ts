import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { redis } from '@rivulet/redis'
import { createHub, type Transport } from 'rivulet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startMosquitto, startNats } from '../support/brokers.ts'
import { Authority } from '../support/certificates.ts'
import { startProxy } from '../support/fault-proxy.ts'
import { startRedis } from '../support/redis-servers.ts'

const SATELLITE = { roundTripMs: 600 }

interface Far {
  readonly kind: string
  readonly start: typeof startNats | typeof startMosquitto | typeof startRedis
  readonly transport: (port: number, ca: string) => Transport
}

const KINDS: readonly Far[] = [
  {
    kind: 'NATS',
    start: startNats,
    transport: (port, ca) => nats({ servers: `tls://localhost:${port}`, tls: { ca } }),
  },
  {
    kind: 'MQTT',
    start: startMosquitto,
    transport: (port, ca) => mqtt({ url: `mqtts://localhost:${port}`, tls: { ca } }),
  },
  {
    kind: 'Redis',
    start: startRedis,
    transport: (port, ca) => redis({ servers: `rediss://localhost:${port}`, tls: { ca } }),
  },
]

let authority: Authority
beforeAll(() => {
  authority = new Authority()
})
afterAll(() => authority.close())

test.each(KINDS)(
  'a hub over $kind with TLS comes up over a satellite by default, and stays up',
  async (far) => {
    const broker = await far.start({ tls: authority.issue() })
    const proxy = await startProxy({ port: broker.port }, SATELLITE)
    const hubs = [1, 2].map(() => createHub({ transport: far.transport(proxy.port, authority.ca) }))
    const seen: string[] = []
    for (const hub of hubs) {
      hub.on('status', (status) => seen.push(status))
      hub.on('error', ({ message }) => seen.push(message))
    }
    const [here, there] = hubs as [(typeof hubs)[number], (typeof hubs)[number]]
    const heard: unknown[] = []
    await there.stream('positions').subscribe(({ data }) => heard.push(data)).ready
    await here.ready()
    for (let n = 0; n < 3; n++) {
      here.stream('positions').publish({ n })
      await here.flush()
    }
    await expect.poll(() => heard).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
    expect(seen).toEqual(['up', 'up'])
    expect(here.ledger()).toMatchObject({ confirmed: 3, unconfirmed: 0 })
    await Promise.all(hubs.map((hub) => hub.close()))
    await proxy.close()
    await broker.close()
  },
)
