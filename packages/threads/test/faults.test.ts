import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { repeatsOf } from '../../../test/brokers/support/sighting.ts'
import { eventually, openLive } from '../../../test/support/live.ts'
import { freshBus, hasHeard, member } from './member-thread.ts'

const NO_LIMIT = { limit: false } as const
const TERMINATIONS = 50
const FLOOD_MESSAGES = 60_000
const FLOOD_BYTES = 3_800
// 3 MiB, so that nothing is congested.
const FLOOD_AHEAD = 5_000

test('a thread that subscribes receives messages right after, each of 100 times', async () => {
  const url = freshBus()
  const [publisher, receiver] = await Promise.all([
    member('publisher', { url, defaults: NO_LIMIT }),
    member('receiver', { url, defaults: NO_LIMIT }),
  ])
  for (let round = 0; round < 100; round += 1) {
    const stream = `round ${round}`
    await receiver.call('listen', [stream])
    const numbers = await publisher.call('publish', [stream])
    await hasHeard(receiver, publisher, numbers)
  }
  expect(await receiver.call('ledger')).toMatchObject({ delivered: 100, missed: 0 })
})

test('a hub ready in a new thread at once receives messages of another thread', async () => {
  const url = freshBus()
  const here = await openLive({ transport: url, streamDefaults: NO_LIMIT })
  for (let round = 0; round < 20; round += 1) {
    const newcomer = await member(`newcomer ${round}`, { url, defaults: NO_LIMIT })
    await newcomer.call('listen', ['news'])
    here.stream('news').publish({ by: 'main', n: round, atMs: Date.now() })
    await eventually(() => newcomer.call('missing', 'main', [round])).toEqual([])
    await newcomer.dismiss()
  }
})

test('a thread terminated in the middle of a flood harms no other, 50 times', async () => {
  const url = freshBus()
  const [steady, receiver] = await Promise.all([
    member('steady', { url, defaults: NO_LIMIT }),
    member('receiver', { url, defaults: NO_LIMIT }),
  ])
  await receiver.call('listen', ['flood', 'steady'])
  for (let nth = 0; nth < TERMINATIONS; nth += 1) {
    const flooder = await member(`flooder ${nth}`, { url, defaults: NO_LIMIT, padding: 500 })
    await flooder.call('publishFlatOut', 'flood', FLOOD_AHEAD)
    await eventually(() => receiver.call('heardSince', flooder.name, 0)).toBeGreaterThan(0)
    await flooder.terminate()
    await hasHeard(receiver, steady, await steady.call('publish', ['steady']))
  }
  const { sightings } = await receiver.call('notes')
  expect(repeatsOf(sightings)).toEqual([])
  // The posts of a flooder arrived complete and in order, up to its end.
  expect(await receiver.call('ledgerOf', 'flood')).toMatchObject({
    missed: 0,
    reordered: 0,
    dropped: { malformed: 0, duplicate: 0, stale: 0, tooLarge: 0, schema: 0 },
  })
  expect(await receiver.call('ledgerOf', 'steady')).toMatchObject({ delivered: TERMINATIONS, missed: 0 })
  expect([steady.rises, receiver.rises]).toEqual([1, 1])
  await steady.call('flush')
  expect(await steady.call('ledger')).toMatchObject({ confirmed: TERMINATIONS, unconfirmed: 0 })
  await Promise.all([steady.dismiss(), receiver.dismiss()])
})

test('a blocked thread takes no other down, and congested messages are not kept', async () => {
  const url = freshBus()
  const [publisher, receiver, blocked] = await Promise.all([
    member('publisher', { url, defaults: NO_LIMIT, padding: FLOOD_BYTES }),
    member('receiver', { url, defaults: NO_LIMIT }),
    member('blocked', { url, defaults: NO_LIMIT }),
  ])
  for (const listener of [receiver, blocked]) await listener.call('listen', ['flood', 'after'])
  await publisher.call('publish', ['flood'])
  await publisher.call('flush')
  const before = process.memoryUsage.rss()
  await blocked.block()
  await publisher.call('publishFlatOut', 'flood')
  // A thread that blocks for more than ten seconds counts as ended, and nothing is congested any more: on a busy machine
  // the flood takes longer than that.
  const attempts = () => publisher.call('ledger').then((ledger) => ledger.attempts)
  while ((await attempts()) <= FLOOD_MESSAGES) await delay(20)
  const grown = process.memoryUsage.rss() - before
  const flooded = await publisher.call('ledger')
  expect(flooded.lost.congested).toBeGreaterThan(0)
  await publisher.call('stopPublishing')
  blocked.release()
  await publisher.call('flush')
  await hasHeard(blocked, publisher, await publisher.call('publish', ['after']))
  expect((await publisher.call('ledger')).unconfirmed).toBe(0)
  // Congested messages are not kept. Sent ones are queued in the blocked thread, each with slightly more than its bytes, and
  // on a busy machine in the receiver, too.
  const handedOver = flooded.attempts - flooded.lost.congested
  expect(grown).toBeLessThan((2.5 * handedOver + flooded.lost.congested / 2) * FLOOD_BYTES)
  expect([publisher.rises, receiver.rises, blocked.rises]).toEqual([1, 1, 1])
})

test('subscribers that throw stall neither other streams nor other threads', async () => {
  const url = freshBus()
  const [publisher, faulty] = await Promise.all([
    member('publisher', { url, defaults: NO_LIMIT }),
    member('faulty', { url, defaults: NO_LIMIT }),
  ])
  await faulty.call('listen', ['a'], { ends: 'throwing' })
  await faulty.call('listen', ['a'], { ends: 'rejecting' })
  await faulty.call('listen', ['a', 'b'])
  const numbers: number[] = []
  for (let nth = 0; nth < 100; nth += 1) numbers.push(...(await publisher.call('publish', ['a', 'b'])))
  await hasHeard(faulty, publisher, numbers)
  expect(await faulty.call('ledger')).toMatchObject({ delivered: 200, listenerErrors: 200, missed: 0 })
  expect(faulty.rises).toBe(1)
  await Promise.all([publisher.dismiss(), faulty.dismiss()])
})
