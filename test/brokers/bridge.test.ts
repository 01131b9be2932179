import { expect, test } from 'vitest'
import { startNats } from '../support/brokers.ts'
import { closeLawfully, ending, eventually, openLive } from '../support/live.ts'

// The one server that speaks two protocols, so that this is about no other broker.
const NAMES = ['positions', 'a/b', 'a.b', '+/#', '*.>', '$SYS', '🌊 café']
const EACH = 20
const streamDefaults = { limit: false } as const

test('hubs on MQTT and on NATS meet on the streams of one server, both ways', async () => {
  const broker = await ending(startNats({ mqtt: true }))
  const overMqtt = await openLive({ transport: `mqtt://127.0.0.1:${broker.portOf('mqtt')}`, streamDefaults })
  const overNats = await openLive({ transport: broker.url, streamDefaults })
  const hubs = [overMqtt, overNats]
  const heard = hubs.map(() => new Map(NAMES.map((name) => [name, [] as unknown[]])))
  for (const [index, hub] of hubs.entries()) {
    for (const name of NAMES) {
      const subscription = hub.stream(name).subscribe(({ data, isLocal }) => {
        if (!isLocal) heard[index]?.get(name)?.push(data)
      })
      await subscription.ready
    }
  }
  for (let n = 0; n < EACH; n++) {
    for (const name of NAMES) {
      overMqtt.stream(name).publish({ from: 'mqtt', name, n })
      overNats.stream(name).publish({ from: 'nats', name, n })
    }
    await Promise.all(hubs.map((hub) => hub.flush()))
  }

  const all = NAMES.length * EACH
  await eventually(() => hubs.map((hub) => hub.ledger().delivered)).toEqual([all, all])
  const expected = (from: string) =>
    new Map(NAMES.map((name) => [name, Array.from({ length: EACH }, (_, n) => ({ from, name, n }))]))
  expect(heard).toEqual([expected('nats'), expected('mqtt')])
  for (const ledger of await closeLawfully(...hubs)) {
    expect(ledger).toMatchObject({ accepted: all, confirmed: all, missed: 0, reordered: 0 })
  }
})

test('a removal over one protocol ends the stream over the other', async () => {
  const broker = await ending(startNats({ mqtt: true }))
  const overMqtt = await openLive(`mqtt://127.0.0.1:${broker.portOf('mqtt')}`)
  const overNats = await openLive(broker.url)
  const stream = overNats.stream('positions')
  const events: unknown[] = []
  stream.on('removed', (event) => events.push(event))
  await stream.subscribe(() => {}).ready
  overMqtt.stream('positions').remove()
  await eventually(() => events).toEqual([{ reason: 'removed', isLocal: false }])
})
