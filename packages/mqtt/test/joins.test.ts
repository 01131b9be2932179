import { createHub, type Hub, RivuletError } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { startMosquitto } from '../../../test/support/brokers.ts'
import { mqtt } from '../src/index.ts'
import type { MqttOptions } from '../src/options.ts'
import { until } from './open.ts'
import { ScriptedBroker } from './scripted-broker.ts'

async function scripted(): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start()
  broker.isLively = true
  onTestFinished(() => broker.close())
  return broker
}

function openHub(options: MqttOptions): { hub: Hub; errors: RivuletError[] } {
  const hub = createHub({ transport: mqtt(options) })
  const errors: RivuletError[] = []
  hub.on('error', (error) => errors.push(error as RivuletError))
  onTestFinished(async () => void (await hub.close()))
  return { hub, errors }
}

function expectCoded(errors: readonly RivuletError[]): void {
  for (const error of errors) {
    expect(RivuletError.is(error), String(error)).toBe(true)
    expect(error.code).toMatch(/^TRANSPORT_(FAILED|UNAVAILABLE)$/)
    expect(error.cause).toBeInstanceOf(Error)
  }
}

test('a refused subscription rejects its ready, and the hub stays up for the others', async () => {
  const broker = await scripted()
  const { hub, errors } = openHub({ url: broker.url })
  await hub.stream('fine').subscribe(() => {}).ready
  broker.granted = [0x87]
  const refused = hub.stream('refused').subscribe(() => {})
  await expect(refused.ready).rejects.toMatchObject({
    code: 'TRANSPORT_FAILED',
    stream: 'refused',
    message: expect.stringContaining('Not authorized'),
  })
  broker.granted = [0]
  await refused.ready
  expect([hub.status, broker.clients]).toEqual(['up', 1])
  expectCoded(errors)
})

test.each([
  ['first', ['poison', 'a', 'b']],
  ['last', ['a', 'b', 'poison']],
  ['alone', ['poison']],
])('a subscription on which the broker hangs up is found out and backs off alone, %s', async (_, names) => {
  const broker = await scripted()
  broker.poison = 'rivulet/default/poison'
  const { hub, errors } = openHub({ url: broker.url })
  const subscriptions = names.map((name) => hub.stream(name).subscribe(() => {}))
  const ready = names.map((name, nth) => ({ name, ready: subscriptions[nth]?.ready }))
  for (const { name, ready: joined } of ready) {
    if (name !== 'poison') await joined
    else {
      await expect(joined).rejects.toMatchObject({
        code: 'TRANSPORT_FAILED',
        stream: 'poison',
        message: expect.stringContaining('Not authorized'),
      })
    }
  }
  await hub.ready()
  const { clients } = broker
  await hub.flush()
  const others = names.filter((name) => name !== 'poison').map((name) => `rivulet/default/${name}`)
  await until(() => broker.subscriptions.length === others.length)
  expect(broker.subscriptions.sort()).toEqual(others)
  expect([hub.status, broker.clients]).toEqual(['up', clients])
  expectCoded(errors)
})

test('a name that makes a 3.1.1 broker disconnect does not cost others the connection', async () => {
  const broker = await startMosquitto({ config: 'max_packet_size 300' })
  onTestFinished(() => broker.close())
  const { hub, errors } = openHub({ url: broker.url, protocol: 4 })
  const [long, fine] = [hub.stream('n'.repeat(320)), hub.stream('fine')]
  const heard: unknown[] = []
  const [rejected, joined] = [
    long.subscribe(() => {}).ready,
    fine.subscribe(({ data }) => heard.push(data)).ready,
  ]
  await Promise.all([joined, expect(rejected).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })])
  await hub.ready()
  expect(hub.status).toBe('up')
  const { hub: other } = openHub({ url: broker.url })
  await other.ready()
  other.stream('fine').publish({ n: 1 })
  await until(() => heard.length === 1)
  expectCoded(errors)
})

test('2 000 streams are each joined again once at a reconnect to a slow broker', async () => {
  const broker = await scripted()
  const { hub, errors } = openHub({ url: broker.url })
  const names = Array.from({ length: 2_000 }, (_, nth) => `s${nth}`)
  await Promise.all(names.map((name) => hub.stream(name).subscribe(() => {}).ready))
  broker.subscribeMs = 1
  broker.drop()
  await until(() => hub.status === 'down')
  await hub.ready()
  expect(new Set(broker.subscriptions).size).toBe(2_000)
  expect([broker.subscriptions.length, broker.clients]).toEqual([2_000, 2])
  expect(errors).toEqual([expect.objectContaining({ code: 'TRANSPORT_UNAVAILABLE' })])
  expectCoded(errors)
})

test('2 000 streams receive again after mosquitto was killed and started', async () => {
  const broker = await startMosquitto()
  onTestFinished(() => broker.close())
  const [{ hub }, { hub: other }] = [openHub({ url: broker.url }), openHub({ url: broker.url })]
  const names = Array.from({ length: 2_000 }, (_, nth) => `s${nth}`)
  const heard = new Set<string>()
  await Promise.all(names.map((name) => hub.stream(name).subscribe(() => heard.add(name)).ready))
  await broker.kill()
  // Before it is back: one of them might else be up again before the other is down.
  await until(() => hub.status !== 'up' && other.status !== 'up')
  await broker.restart()
  await Promise.all([hub.ready(), other.ready()])
  for (const name of names) {
    other.stream(name).publish({ name })
    if (heard.size % 100 === 0) await other.flush()
  }
  await until(() => heard.size === 2_000)
  expect([hub.status, other.ledger().confirmed + other.ledger().inFlight]).toEqual(['up', 2_000])
})
