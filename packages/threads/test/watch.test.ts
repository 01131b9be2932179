import { threads } from '@rivulet/threads'
import type { Hub, Message, RivuletError } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { endless } from '../../../test/support/adapters/waits.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { eventually, makeLive, openLive } from '../../../test/support/live.ts'
import { breakableChannels } from './breakable-channels.ts'
import { freshBus, member } from './member-thread.ts'

const TERMINATIONS = 10
// 3 MiB, so that nothing is congested.
const FLOOD_AHEAD = 5_000
const STREAMS = 2_000
const NO_LIMIT = { limit: false } as const
const ID = 'a'.repeat(32)

/** Taps a hub that is up, and keeps the streams' names with the data. */
async function tapped(hub: Hub) {
  const heard: [stream: string, data: unknown][] = []
  const tap = hub.tap(({ data }: Message, stream) => heard.push([stream, data]))
  await tap.ready
  return { tap, heard }
}

test(`a tap receives ${STREAMS} streams, each message once, and its ledger adds up`, async () => {
  const url = freshBus()
  const [here, there] = [await openLive(url), await openLive(url)]
  const { tap, heard } = await tapped(there)
  const received: unknown[] = []
  await there.stream('stream 0').subscribe(({ data, isLocal }) => isLocal || received.push(data)).ready
  const names = Array.from({ length: STREAMS }, (_, index) => `stream ${index}`)
  for (const [index, name] of names.entries()) here.stream(name).publish({ index })
  there.stream('own').publish({ n: 1 })
  await here.flush()
  await eventually(() => heard.length).toBe(STREAMS)
  expect(heard).toEqual(names.map((name, index) => [name, { index }]))
  expect(received).toEqual([{ index: 0 }])
  expect(tap.ledger()).toMatchObject({ received: STREAMS, delivered: STREAMS, missed: 0 })
  expectLaws(tap.ledger())
  expect(there.ledger()).toMatchObject({ received: 1, delivered: 1 })
})

test('a tap receives all threads; one terminated in a flood costs none of the others', async () => {
  const url = freshBus()
  const { tap, heard } = await tapped(await openLive(url))
  const steady = await member('steady', { url, defaults: NO_LIMIT })
  const heardOf = (stream: string) => heard.filter(([name]) => name === stream).length
  for (let nth = 0; nth < TERMINATIONS; nth += 1) {
    const flooder = await member(`flooder ${nth}`, { url, defaults: NO_LIMIT, padding: 500 })
    await flooder.call('publishFlatOut', `flood ${nth}`, FLOOD_AHEAD)
    await eventually(() => heardOf(`flood ${nth}`)).toBeGreaterThan(0)
    await flooder.terminate()
    await steady.call('publish', ['steady'])
    await eventually(() => heardOf('steady')).toBe(nth + 1)
  }
  // The posts of a flooder arrived complete and in order, up to its end.
  expect(tap.ledger()).toMatchObject({
    missed: 0,
    reordered: 0,
    dropped: { malformed: 0, duplicate: 0, tooLarge: 0 },
  })
  const followed = [...tap.streams()].find(({ name }) => name === 'steady')
  expect(followed?.ledger).toMatchObject({ delivered: TERMINATIONS, missed: 0 })
  expectLaws(tap.ledger())
  await steady.dismiss()
})

test('a tap drops and counts frames on invalid topics, and receives no other hub', async () => {
  const bus = freshBus()
  const { tap, heard } = await tapped(await openLive(`${bus}?name=fleet`))
  const channel = new BroadcastChannel(`rivulet/threads/${bus.slice('threads:'.length)}`)
  onTestFinished(() => channel.close())
  const strange = ['', '/', 'a/b', '%', '%61', '%zz', 'ä', '\ud800', '\0', 'a b', '*', 'x'.repeat(10_000)]
  const elsewhere = ['rivulet/fleet2/a', 'rivulet/flee/a', 'rivulet/fleet', 'rivulet', '', '/rivulet/fleet/a']
  const topics = [...strange.map((name) => `rivulet/fleet/${name}`), ...elsewhere, topicOf('fleet', 'a')]
  for (const [index, topic] of topics.entries()) {
    channel.postMessage([ID, index + 1, topic, '{"data":{"n":1}}'])
  }
  await eventually(() => heard).toEqual([['a', { n: 1 }]])
  expect(tap.ledger()).toMatchObject({
    received: strange.length + 1,
    delivered: 1,
    dropped: { malformed: strange.length },
  })
  expectLaws(tap.ledger())
})

test('a tap receives again after its channel has ended', async () => {
  const name = crypto.randomUUID()
  const channels = breakableChannels()
  const there = makeLive({ transport: threads({ name, makeChannel: channels.make }) })
  there.on('error', () => {})
  const { tap, heard } = await tapped(there)
  const here = await openLive(`threads:${name}`)
  here.stream('a').publish({ n: 1 })
  await eventually(() => heard).toHaveLength(1)
  channels.down()
  await eventually(() => there.status).toBe('down')
  here.stream('a').publish({ n: 2 })
  await here.flush()
  channels.up()
  await there.ready()
  here.stream('a').publish({ n: 3 })
  await eventually(() => heard).toEqual([1, 3].map((n) => ['a', { n }]))
  expect(tap.ledger()).toMatchObject({ missed: 0 })
  expectLaws(tap.ledger())
})

test('posts that a tapping thread missed are unconfirmed at their publisher', async () => {
  const name = crypto.randomUUID()
  const channels = breakableChannels()
  const here = makeLive({ transport: threads({ name, makeChannel: channels.make }) })
  const errors: RivuletError[] = []
  here.stream('a').on('error', (error) => errors.push(error))
  await here.ready()
  const { tap, heard } = await tapped(await openLive(`threads:${name}`))
  here.stream('a').publish({ n: 1 })
  await eventually(() => heard).toHaveLength(1)
  await here.flush()
  channels.lose(true)
  here.stream('a').publish({ n: 2 })
  await here.flush()
  channels.lose(false)
  here.stream('a').publish({ n: 3 })
  await here.flush()
  await eventually(() => heard).toEqual([1, 3].map((n) => ['a', { n }]))
  expect(here.stream('a').ledger()).toMatchObject({ accepted: 3, confirmed: 2, unconfirmed: 1 })
  expect(errors).toMatchObject([{ code: 'TRANSPORT_FAILED', stream: 'a' }])
  expect(tap.ledger()).toMatchObject({ delivered: 2, missed: 1 })
})

test('a watch that is given up hands nothing over, and ends none that began later', async () => {
  const name = crypto.randomUUID()
  const [sender, receiver] = [threads(name), threads(name)]
  for (const each of [sender, receiver]) onTestFinished(() => each.close(AbortSignal.abort()))
  const host = new RecordingHost()
  await receiver.open(host, endless)
  await sender.open(new RecordingHost(), endless)
  const topic = topicOf('default', 'a')
  // The joined topic shows when a frame has arrived: a barrier of the sender waits only for known transports.
  await receiver.join(topic, endless)
  const [given, later] = [new AbortController(), new AbortController()]
  const watching = receiver.watch('default', given.signal)
  given.abort(new Error('no longer'))
  await expect(watching).rejects.toMatchObject({ message: expect.stringContaining('no longer') })
  sender.send(topic, 'unheard')
  await eventually(() => host.frames).toEqual([{ topic, text: 'unheard' }])
  await receiver.watch('default', later.signal)
  sender.send(topic, 'heard')
  await eventually(() => host.watchedFrames).toEqual([{ topic, text: 'heard' }])
})

test('a host that throws at a watched frame gets the error, and the next frame', async () => {
  const name = crypto.randomUUID()
  const [sender, receiver] = [threads(name), threads(name)]
  for (const each of [sender, receiver]) onTestFinished(() => each.close(AbortSignal.abort()))
  const host = new RecordingHost()
  const watched: unknown[] = []
  host.watched = (_topic, frame) => {
    if (watched.push(frame) === 1) throw new Error('a bug of the host')
  }
  await receiver.open(host, endless)
  await sender.open(new RecordingHost(), endless)
  await receiver.watch('default', endless)
  for (const frame of ['one', 'two']) sender.send(topicOf('default', 'a'), frame)
  await eventually(() => watched).toEqual(['one', 'two'])
  expect(host.errors).toMatchObject([{ topic: undefined, cause: { code: 'TRANSPORT_FAILED' } }])
})
