import { expect, test } from 'vitest'
import { BROKER_KINDS, closeLawfully, ending, eventually, openLive } from '../support/live.ts'
import { hostileNames } from './hostile-names.ts'

// Rows 45 to 53 of the catalogue of faults: names. Topics reach pages as they are, so that only brokers matter.
const COUNT = 2000
// A broker may drop what it cannot hand over at once; that is not what this is about.
const AT_ONCE = 100

test.each(BROKER_KINDS)(
  'hostile names each reach their own stream and no other over $kind',
  async (broker) => {
    const { url } = await ending(broker.start())
    const [sender, receiver] = [await openLive(url + broker.query), await openLive(url + broker.query)]
    const statuses: string[] = []
    for (const hub of [sender, receiver]) hub.on('status', (status) => statuses.push(status))
    const names = hostileNames(COUNT, 7)
    const heard = names.map((): unknown[] => [])
    const subscriptions = names.map((name, index) =>
      receiver.stream(name).subscribe(({ data }) => heard[index]?.push(data)),
    )
    await Promise.all(subscriptions.map(({ ready }) => ready))

    for (const [index, name] of names.entries()) {
      sender.stream(name).publish({ index, name })
      if (index % AT_ONCE === AT_ONCE - 1) await sender.flush()
    }
    await sender.flush()
    await eventually(() => receiver.ledger().received).toBe(COUNT)

    expect(heard).toEqual(names.map((name, index) => [{ index, name }]))
    expect(statuses).toEqual([])
    const [sent, got] = await closeLawfully(sender, receiver)
    expect(sent).toMatchObject({ accepted: COUNT, confirmed: COUNT })
    expect(got).toMatchObject({ received: COUNT, delivered: COUNT, missed: 0 })
  },
)

test.each(BROKER_KINDS)(
  'a name that is too long or ill-formed never reaches the broker over $kind',
  async (broker) => {
    const { url } = await ending(broker.start())
    const hub = await openLive(url + broker.query)
    const wrong = ['', 'x'.repeat(321), 'a\ud800', `TZ${'a'.repeat(32)}`]
    for (const name of wrong) {
      expect(() => hub.stream(name)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
    }
    await hub.stream('x'.repeat(320)).subscribe(() => {}).ready
    expect(hub.status).toBe('up')
  },
)
