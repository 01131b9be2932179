import { randomBytes } from 'node:crypto'
import { memoryBus } from '@rivulet/memory'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { Prefixes } from '../../src/relay/prefixes.ts'
import { frameOf, prefix, topicOf } from '../support/frames.ts'
import { HUB, type Scene, serve } from '../support/scene.ts'

const ANNS = prefix('a')
const TOPIC = topicOf('positions')
const SECRET = randomBytes(32)

/** Sends a frame of ann's prefix as somebody, and gives the connection with what the server said of the frame. */
async function publish(scene: Scene, identity: string, sequence: number, proofs?: Record<string, string>) {
  const page = await scene.welcomed(identity, proofs)
  page.topical('frame', TOPIC, frameOf(ANNS, sequence))
  await page.barrier()
  return { page, fault: page.all('fault').map(({ text }) => text)[0] }
}

test('lets a page that comes back take its own prefix over, and ends its older connection', async () => {
  const scene = await serve()
  const first = await publish(scene, 'ann', 1)
  const second = await publish(scene, 'ann', 2)
  expect(await first.page.closed).toMatchObject({ code: 4104 })
  expect([first.fault, second.fault]).toEqual([undefined, undefined])
  expect(scene.server.pages.counts).toMatchObject({ pages: 1, received: 2 })
  // The end of the older one has not taken the prefix from the newer.
  expect((await publish(scene, 'mallory', 3)).fault).toMatch(/belongs to another page/)
})

test('remembers whose a prefix is when its page has gone', async () => {
  const scene = await serve()
  const { page } = await publish(scene, 'ann', 1)
  page.terminate()
  await eventually(() => scene.server.pages.counts.pages).toBe(0)
  expect((await publish(scene, 'mallory', 2)).fault).toMatch(/belongs to another page/)
  expect((await publish(scene, 'ann', 3)).fault).toBeUndefined()
})

test('takes a page from another server by its proof, and nobody without one', async () => {
  const bus = memoryBus()
  const [here, there] = [
    await serve({ upstream: bus.transport(), session: () => ({ secret: SECRET }) }),
    await serve({ upstream: bus.transport(), session: () => ({ secret: Buffer.from(SECRET) }) }),
  ]
  const listener = await there.welcomed('bob')
  await listener.join(TOPIC)
  const { page } = await publish(here, 'ann', 1)
  const { text } = await page.next('bound')
  const proof = text.slice(12)
  expect(text.slice(0, 12)).toBe(ANNS)
  expect(proof).toMatch(/^[0-9a-f]{64}$/)
  await listener.next('frame')

  expect((await publish(there, 'mallory', 2)).fault).toMatch(/a publisher elsewhere/)
  expect((await publish(there, 'ann', 4)).fault).toMatch(/a publisher elsewhere/)
  expect((await publish(there, 'ann', 5, { [ANNS]: 'f'.repeat(64) })).fault).toMatch(/a publisher elsewhere/)
  expect((await publish(there, 'ann', 6, { [ANNS]: proof })).fault).toBeUndefined()
  // A token that names nobody has another identity each time. The proof is told to nobody but the page.
  expect((await publish(there, 'ann, with another token', 7, { [ANNS]: proof })).fault).toBeUndefined()
  expect((await publish(there, 'mallory', 8)).fault).toMatch(/belongs to another page/)
  await listener.barrier()
  const sequences = [1, 6, 7].map((sequence) => frameOf(ANNS, sequence))
  expect(listener.all('frame').map(({ text }) => text)).toEqual(sequences)
})

test('a proof is good for one hub, one prefix and one secret', async () => {
  const bus = memoryBus()
  const here = await serve({ upstream: bus.transport() })
  const there = await serve({ upstream: bus.transport() })
  const listener = await there.welcomed('bob')
  await listener.join(TOPIC)
  const { page } = await publish(here, 'ann', 1)
  const proof = (await page.next('bound')).text.slice(12)
  await listener.next('frame')
  // Each of the two has a random secret of its own.
  expect((await publish(there, 'ann', 2, { [ANNS]: proof })).fault).toMatch(/a publisher elsewhere/)
  expect((await publish(here, 'ann', 3, { [ANNS]: proof })).fault).toBeUndefined()
})

test("a hub's page moves to another server with its streams, and is believed", async () => {
  const bus = memoryBus()
  const session = () => ({ secret: SECRET })
  const here = await serve({ upstream: bus.transport(), session })
  const there = await serve({ upstream: bus.transport(), session })
  const faults: string[] = []
  const ann = await here.page('ann')
  ann.on('error', (error) => faults.push(error.message))
  const heard: unknown[] = []
  await there.hub.stream('positions').subscribe(({ data }) => heard.push(data)).ready
  ann.stream('positions').publish({ n: 1 })
  await eventually(() => heard).toEqual([{ n: 1 }])
  // What is confirmed comes after the proof of the prefix.
  await ann.flush()
  // The page's next connection is to the other server, at the same address.
  const { port } = here.server
  await here.server.stop()
  await there.server.stop()
  await eventually(() => ann.status).toBe('down')
  there.server.port = port
  await there.server.start()
  await eventually(() => ann.status).toBe('up')
  await ann.ready()
  await eventually(() => there.server.pages.counts.pages).toBe(1)
  ann.stream('positions').publish({ n: 2 })
  await eventually(() => heard).toEqual([{ n: 1 }, { n: 2 }])
  expect(faults.filter((fault) => fault.includes('refused'))).toEqual([])
})

test('leaves a prefix with its identity when a token of somebody else was shown', async () => {
  const scene = await serve()
  const { page } = await publish(scene, 'ann', 1)
  page.text('token', 'bob')
  await page.closed
  expect((await publish(scene, 'bob', 2)).fault).toMatch(/belongs to another page/)
  expect((await publish(scene, 'ann', 3)).fault).toBeUndefined()
})

test.each([
  ['too short', { secret: new Uint8Array(0) }],
  ['none', { secret: 'secret' as never }],
])('tells a page to come back later when the secret is %s', async (_, session) => {
  const faults: unknown[] = []
  const log = { debug() {}, info() {}, warn: (fields: object) => faults.push(fields) }
  const { raw } = await serve({ session: () => session, log })
  const page = await raw()
  page.hello({ version: 1, hub: HUB, token: 'ann' })
  expect(await page.closed).toMatchObject({ code: 4105 })
  expect(faults.join()).not.toBe('')
})

describe('the memory of prefixes', () => {
  const MOST = 65_536
  const holder = (identity: string) => ({ identity, takenOver() {} })
  const nth = (n: number) => n.toString(16).padStart(12, '0')

  test('keeps those longest that were heard last', () => {
    const prefixes = new Prefixes()
    for (let n = 0; n < MOST; n++) prefixes.noteHeard(nth(n))
    prefixes.noteHeard(nth(0))
    prefixes.noteHeard(nth(MOST))
    expect(prefixes.bind(nth(0), holder('mallory'), false)).toMatch(/elsewhere/)
    expect(prefixes.bind(nth(1), holder('ann'), false)).toBeUndefined()
  })

  test('does not take an echo of a page that has gone for another publisher', () => {
    const prefixes = new Prefixes()
    const ann = holder('ann')
    for (let n = 0; n <= MOST; n++) {
      prefixes.bind(nth(n), ann, false)
      prefixes.release(nth(n), ann)
      if (n === 0) prefixes.noteHeard(nth(0))
    }
    expect(prefixes.bind(nth(0), holder('bob'), false)).toBeUndefined()
  })
})
