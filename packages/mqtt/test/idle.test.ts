import { createHub, type TimeoutOptions } from 'rivulet'
import { afterEach, expect, test } from 'vitest'
import { mqtt } from '../src/index.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const KEEPALIVE_AT = 10 // CONNECT: fixed header, "MQTT", version and flags come before (MQTT 5, 3.1.2)

let broker: ScriptedBroker
afterEach(() => broker.close())

async function openIdle(timeouts: TimeoutOptions) {
  broker = await ScriptedBroker.start()
  broker.isLively = true
  const hub = createHub({ transport: mqtt({ url: broker.url }), timeouts })
  await hub.stream('positions').subscribe(() => {}).ready
  return hub
}

test('an idle subscriber sends one ping in each idle interval', async () => {
  const idleMs = 400
  const hub = await openIdle({ idleMs })
  await broker.pinged(1)
  const [startMs, before] = [performance.now(), broker.pings]
  await broker.pinged(before + 6)
  // No timer fires early, so no more can come in that time, however busy the machine is.
  const intervals = (performance.now() - startMs) / idleMs
  expect(broker.pings - before).toBeLessThanOrEqual(intervals + 1)
  expect(hub.status).toBe('up')
  await hub.close()
})

test.each([
  [45, {}],
  [5, { idleMs: 2_000 }],
  [6, { idleMs: 4_000 }],
  [65_535, { idleMs: 2 ** 31 - 1 }],
])('the keepalive of %i s is longer than the idle interval of the hub', async (seconds, timeouts) => {
  const hub = await openIdle(timeouts)
  const connect = broker.packets[0] as Buffer
  expect(connect.readUInt16BE(KEEPALIVE_AT)).toBe(seconds)
  await hub.close()
})
