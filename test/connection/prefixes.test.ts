import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { openScene, type Scene } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const MINE = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb']
const OTHERS = ['cccccccccccc']

/** Publishes on a stream, and returns the prefix of the sid. */
function prefixOf({ hub }: Scene, name = 'scene'): string {
  const { sid } = hub.stream(name).publish({})
  return sid.slice(2, 14)
}

/** Loses the connection and gets prefixes at the next one. */
async function connectWith(scene: Scene, prefixes: readonly string[]): Promise<void> {
  const { length } = scene.transport.hosts
  scene.transport.capabilities = { ...scene.transport.capabilities, prefixes }
  scene.transport.host.down()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(scene.transport.hosts.length).toBeGreaterThan(length)
}

describe('prefixes that a backend gives', () => {
  test('begin the origins of all streams from then on; earlier messages keep theirs', async () => {
    const scene = await openScene()
    const random = prefixOf(scene)
    const early = scene.hub.stream('early').publish({})
    scene.hub.stream('late') // which is not used yet
    await connectWith(scene, MINE)
    expect(early.sid.slice(2, 14)).toBe(random)
    expect(prefixOf(scene)).toBe(MINE[0])
    expect(prefixOf(scene, 'early')).toBe(MINE[0])
    expect(prefixOf(scene, 'late')).toBe(MINE[0])
    expect(scene.errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE' }]) // that of the lost connection
  })

  test('leave the origins as they are when they are given again', async () => {
    const scene = await openScene()
    await connectWith(scene, MINE)
    const before = scene.stream.publish({}).sid
    await connectWith(scene, [...MINE])
    expect(scene.stream.publish({}).sid.slice(0, 18)).toBe(before.slice(0, 18))
  })

  test('begin the sids, which stay unique when prefixes are withdrawn and given again', async () => {
    const scene = await openScene()
    const sids = new Set<string>()
    let published = 0
    for (const prefixes of [MINE, OTHERS, MINE, OTHERS]) {
      await connectWith(scene, prefixes)
      for (const name of ['a', 'b', 'c', 'd'].sort(() => (published % 2) - 0.5)) {
        const { sid } = scene.hub.stream(name).publish({})
        expect(sid.slice(2, 14)).toBe(prefixes[0])
        sids.add(sid)
        published++
      }
    }
    expect(sids.size).toBe(published)
  })

  test('are all our own: frames under them and under the random one come back as echoes', async () => {
    const scene = await openScene()
    const random = scene.stream.publish({}).sid
    await connectWith(scene, MINE)
    const given = scene.stream.publish({}).sid
    await connectWith(scene, OTHERS)
    scene.stream.publish({})
    for (const sid of [random, given, sidOf('cccccccccccc0000', 1)]) {
      scene.receive({ data: {}, sid, t: 1 })
    }
    expect(scene.ledger.dropped.echo).toBe(3)
  })

  test('are in every sid that is sent, whenever the hub publishes', async () => {
    const scene = await openScene()
    for (let turns = 0; turns < 40; turns++) {
      scene.transport.capabilities = {
        ...scene.transport.capabilities,
        prefixes: [`${turns + 10}0000000000`],
      }
      scene.transport.sent.length = 0
      scene.transport.answers.open = 'hang'
      scene.transport.host.down()
      await vi.advanceTimersByTimeAsync(4_000)
      scene.transport.opens.at(-1)?.resolve()
      const publishAfter = (left: number): void => {
        if (left === 0) scene.stream.publish({ turns })
        else queueMicrotask(() => publishAfter(left - 1))
      }
      publishAfter(turns)
      await vi.advanceTimersByTimeAsync(100)
      for (const { text } of scene.transport.sent) expect(text).toContain(`"sid":"TZ${turns + 10}0000000000`)
    }
    expect(scene.ledger).toMatchObject({ accepted: 40 })
    expect(scene.ledger.confirmed).toBeGreaterThan(0)
  })

  test('are taken in turn, 65 536 streams each, and a random one follows', async () => {
    const scene = await openScene()
    await connectWith(scene, MINE)
    const prefixes = new Map<string, number>()
    for (let nth = 0; nth < 3 * 65_536; nth++) {
      const stream = scene.hub.stream(`s${nth}`, { limit: false })
      const prefix = stream.publish({}).sid.slice(2, 14)
      stream.close()
      prefixes.set(prefix, (prefixes.get(prefix) ?? 0) + 1)
    }
    expect([...prefixes.keys()].slice(0, 2)).toEqual(MINE)
    expect([...prefixes.values()]).toEqual([65_536, 65_536, 65_536])
  })
})
