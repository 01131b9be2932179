import { expect } from 'vitest'
import { expectLaws } from '../support/ledger-laws.ts'
import { hasHeard, testOnEveryServer } from './support/scene.ts'

const STREAM = 'closing'
const COUNT = 1_000

// RELIABILITY rows 30 and 31.
testOnEveryServer(
  'a close hands over a thousand messages, and refuses what comes after them',
  async (scene) => {
    const defaults = { limit: false } as const
    const listener = await scene.member('listener', { defaults })
    const leaver = await scene.member('leaver', { defaults })
    await listener.call('listen', [STREAM])
    const { ledger, codes } = await leaver.call('publishAndClose', STREAM, COUNT)
    expect(codes).toEqual(['HUB_CLOSED', 'HUB_CLOSED', 'HUB_CLOSED'])
    expectLaws(ledger)
    expect(ledger).toMatchObject({ accepted: COUNT, confirmed: COUNT, inFlight: 0 })
    await hasHeard(
      listener,
      leaver,
      [...Array(COUNT).keys()].map((index) => index + 1),
    )
    expect((await listener.call('notes')).sightings).toHaveLength(COUNT)
  },
)
