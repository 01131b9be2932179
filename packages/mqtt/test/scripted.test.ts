import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { reasonOf } from '../src/refusal.ts'
import { BY, Subscriptions } from '../src/subscriptions.ts'
import { closeAll, open, patientHost, topicOf, until } from './open.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const NOT_AUTHORIZED = 135
const UNSUBSCRIBE = 0xa2
const TOPIC = topicOf('a')

let broker: ScriptedBroker

beforeEach(async () => {
  broker = await ScriptedBroker.start()
})

afterEach(async () => {
  vi.restoreAllMocks()
  broker.hangUp()
  await closeAll()
  broker.close()
})

test('connects under an id of its own, in a form for every broker', async () => {
  const idOf = (connect: Buffer) => /rivulet[0-9a-f]{16}/.exec(String(connect))?.[0]
  await open({ url: broker.url })
  broker.hangUp()
  await open({ url: broker.url })
  const ids = broker.packets.filter((packet) => packet.readUInt8(0) === 0x10).map(idOf)
  expect(ids).not.toContain(undefined)
  expect(new Set(ids).size).toBe(2)
})

test('is not open when the broker dismisses it before the welcome', async () => {
  broker.disconnectsFirst = true
  const error = await rejection(open({ url: broker.url }))
  expect(error.message).toContain('The broker disconnected')
})

test('sends nothing once it is closing', async () => {
  const { transport } = await open({ url: broker.url })
  const closing = transport.close(endless)
  expect(transport.send(TOPIC, 'late')).toBe('offline')
  await broker.pinged(1)
  expect(broker.published).toEqual([])
  broker.pong()
  broker.hangUp()
  await closing
})

test('an aborted join leaves a later one of its topic alone', async () => {
  const { transport, host } = await open({ url: broker.url })
  const given = new AbortController()
  const first = rejection(transport.join(TOPIC, given.signal))
  given.abort(new Error('enough'))
  const second = transport.join(TOPIC, endless)
  expect((await first).message).toBe('enough')
  await second
  broker.publish(TOPIC, 'f', BY.join)
  await until(() => host.frames.length > 0)
  expect(broker.packets.filter((packet) => packet.readUInt8(0) === UNSUBSCRIBE)).toEqual([])
})

test('blames one join alone for an answer that the protocol forbids', async () => {
  const { transport } = await open({ url: broker.url })
  broker.granted = [0, 0]
  const joinings = [
    rejection(transport.join(TOPIC, endless)),
    rejection(transport.join(topicOf('b'), endless)),
  ]
  const [first, second] = await Promise.all(joinings)
  expect(first?.message).toContain('refused to subscribe')
  expect(second?.message).toContain('is gone')
})

test('leaves no timer for a reconnect after a loss', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const { host } = await open({ url: broker.url })
  broker.drop()
  await until(() => host.downs.length > 0)
  await new Promise((resolve) => setImmediate(resolve))
  expect(timers()).toBeLessThanOrEqual(before)
})

test('reports a disconnect without a reason', async () => {
  const { host } = await open({ url: broker.url })
  broker.dismiss(0)
  await until(() => host.downs.length > 0)
  expect(host.downs[0]?.message).toContain('The broker disconnected: no reason (0)')
})

test.each([0, 0.6])('reports the outage of one server despite refusals of others (%f)', async (random) => {
  vi.spyOn(Math, 'random').mockReturnValue(random)
  broker.refusals[5] = NOT_AUTHORIZED
  const dead = `mqtt://127.0.0.1:${await freePort()}`
  const error = await rejection(open({ url: [dead, broker.url] }))
  expect(error.code).toBe('TRANSPORT_UNAVAILABLE')
})

test('names an error without a message by its code', () => {
  expect(reasonOf(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED')
  expect(reasonOf('text')).toBe('text')
})

test('reports nothing to its host after its end', async () => {
  const host = patientHost()
  const subscriptions = new Subscriptions(host, '')
  const receive = vi.spyOn(host, 'receive').mockImplementation(() => {
    subscriptions.end()
    throw new Error('host')
  })
  subscriptions.add(TOPIC, { by: BY.join, topic: TOPIC })
  for (const frame of ['x', 'y']) subscriptions.receive(TOPIC, Buffer.from(frame))
  await new Promise((resolve) => setImmediate(resolve))
  expect(receive).toHaveBeenCalledTimes(1)
  expect(host.errors).toEqual([])
})
