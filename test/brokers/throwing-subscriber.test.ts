import { expect } from 'vitest'
import { hasHeard, testOnEveryEndpoint } from './support/scene.ts'

const COUNT = 100
const NO_LIMIT = { defaults: { limit: false } } as const

// RELIABILITY row 35, and 37 and 38 for remote messages: both client libraries stop reading by themselves.
testOnEveryEndpoint(
  'subscribers that throw stall neither the connection nor other streams',
  async (scene) => {
    const [faulty, publisher] = await Promise.all([
      scene.member('faulty', NO_LIMIT),
      scene.member('publisher', NO_LIMIT),
    ])
    await faulty.call('listen', ['a'], { ends: 'throwing' })
    await faulty.call('listen', ['a'], { ends: 'rejecting' })
    await faulty.call('listen', ['a'], { ends: 'never' })
    await faulty.call('listen', ['a', 'b'])
    for (let i = 0; i < COUNT; i++) await publisher.call('publish', ['a', 'b'])
    const last = await publisher.call('publish', ['a', 'b'])
    await hasHeard(faulty, publisher, last)

    const { sightings } = await faulty.call('notes')
    const onEach = ['a', 'b'].map((name) => sightings.filter(({ stream }) => stream === name).length)
    expect(onEach).toEqual([4 * (COUNT + 1), COUNT + 1])
    expect(await faulty.call('ledger')).toMatchObject({
      delivered: 2 * (COUNT + 1),
      listenerErrors: 2 * (COUNT + 1),
      missed: 0,
    })
    expect(faulty.rises).toBe(1)
    const answer = await faulty.call('publish', ['b'])
    await publisher.call('listen', ['b'])
    await faulty.call('flush')
    expect(await faulty.call('ledger')).toMatchObject({ confirmed: answer.length, unconfirmed: 0 })
  },
)
