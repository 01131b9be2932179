import type { Hub, RivuletError, Stream } from 'rivulet'
import { describe, expect, test } from 'vitest'
import type { Broker } from '../support/brokers.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { BROKER_KINDS, type BrokerKind, ending, openLive } from '../support/live.ts'

const COUNT = 20

describe.each(BROKER_KINDS)('publishConfirmed over $kind', (kind) => {
  test('is UNCONFIRMED when the broker stops before its answer, and resolves afterwards', async () => {
    const { broker, hub, stream } = await open(kind)
    await broker.stop()
    const outcomes = await settle(publish(stream))
    expect(outcomes).toEqual(Array(COUNT).fill('UNCONFIRMED'))
    expect(hub.ledger()).toMatchObject({ accepted: COUNT + 1, confirmed: 1, unconfirmed: COUNT, inFlight: 0 })
    broker.cont()
    await hub.ready()
    expect((await stream.publishConfirmed({ n: 'after' })).data).toEqual({ n: 'after' })
    expectLaws(hub.ledger())
  })

  test('is UNCONFIRMED when the broker has the message and is killed before its answer', async () => {
    const { broker, hub, stream } = await open(kind)
    await broker.stop()
    const published = publish(stream)
    const flushed = hub.flush()
    await broker.kill()
    expect(await settle(published)).toEqual(Array(COUNT).fill('UNCONFIRMED'))
    expect(await flushed).toEqual({ confirmed: 0, unconfirmed: COUNT, lost: 0 })
    expect(hub.ledger()).toMatchObject({ accepted: COUNT + 1, confirmed: 1, unconfirmed: COUNT, inFlight: 0 })
    await expect(stream.publishConfirmed({ n: 'away' })).rejects.toMatchObject({
      code: 'LOST',
      reason: 'offline',
      sid: expect.stringMatching(/^TZ[0-9a-f]{32}$/),
    })
    expectLaws(hub.ledger())
  })

  test('ends as the ledger counts while the broker is killed, at any moment', async () => {
    const { broker, hub, stream } = await open(kind)
    const all: Promise<unknown>[] = []
    let isKilled = false
    const killed = broker.kill().then(() => {
      isKilled = true
    })
    for (let turn = 0; turn < 1_000 && !(isKilled && hub.status === 'down'); turn++) {
      all.push(...publish(stream))
      await new Promise(setImmediate)
    }
    await killed
    const outcomes = await settle(all)
    const count = (outcome: string) => outcomes.filter((one) => one === outcome).length
    const ledger = hub.ledger()
    expect(ledger).toMatchObject({
      accepted: all.length + 1,
      confirmed: count('confirmed') + 1,
      unconfirmed: count('UNCONFIRMED'),
      inFlight: 0,
    })
    const { offline, congested, failed } = ledger.lost
    expect(offline + congested + failed).toBe(count('LOST'))
    expectLaws(ledger)
  })
})

/** A hub that has had one message confirmed. */
async function open(kind: BrokerKind): Promise<{ broker: Broker; hub: Hub; stream: Stream }> {
  const broker = await ending(kind.start())
  const hub = await openLive(broker.url + kind.query)
  hub.on('error', () => {})
  const stream = hub.stream('confirmed', { limit: false }) as Stream
  await stream.publishConfirmed({ n: 'before' })
  return { broker, hub, stream }
}

function publish(stream: Stream): Promise<unknown>[] {
  return Array.from({ length: COUNT }, (_, n) => stream.publishConfirmed({ n }))
}

/** Tells how each ended, and expects that an error names a message of its own. */
async function settle(published: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(published)
  const errors = results.flatMap((result) => ('reason' in result ? [result.reason as RivuletError] : []))
  const sids = new Set(errors.map(({ sid }) => sid))
  expect([...sids].every((sid) => /^TZ[0-9a-f]{32}$/.test(sid ?? ''))).toBe(true)
  expect(sids.size).toBe(errors.length)
  return results.map((result) => ('reason' in result ? (result.reason as RivuletError).code : 'confirmed'))
}
