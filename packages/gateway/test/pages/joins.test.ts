import { encodeNumbered, encodeTopical, KIND } from '@rivulet/websocket/protocol'
import { expect, test } from 'vitest'
import { heapUsed } from '../../../../test/support/heap.ts'
import { eventually } from '../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../test/support/scripted-transport.ts'
import { frameOf, prefixOf, secretOf, topicOf } from '../support/frames.ts'
import { pagesByHand } from '../support/hand-pages.ts'
import { serve } from '../support/scene.ts'

test('the joins of the pages of an identity are limited; a leave frees one', async () => {
  const { welcomed, server } = await serve({ maxJoinsPerIdentity: 3 })
  const [one, two] = [await welcomed('ann'), await welcomed('ann', secretOf('another page'))]
  for (const name of ['a', 'b']) expect((await one.join(topicOf(name))).kind).toBe('joined')
  expect((await two.join(topicOf('a'))).kind).toBe('joined')
  expect(await two.join(topicOf('b'))).toMatchObject({
    kind: 'refused',
    text: 'more than 3 streams on all pages of this identity',
  })
  expect((await two.join(topicOf('a'))).kind, 'asked again').toBe('joined')
  expect((await (await welcomed('bob')).join(topicOf('b'))).kind, 'of another one').toBe('joined')

  one.topical('leave', topicOf('a'))
  one.topical('leave', topicOf('never'))
  await one.barrier()
  expect((await two.join(topicOf('b'))).kind).toBe('joined')
  expect((await one.join(topicOf('c'))).kind).toBe('refused')

  two.terminate()
  await eventually(() => server.pages.counts).toMatchObject({ pages: 2, joins: 2, refused: 2 })
  for (const name of ['c', 'd']) expect((await one.join(topicOf(name))).kind).toBe('joined')
  expect((await one.join(topicOf('e'))).kind).toBe('refused')
})

test('a join that upstream refused does not count for the identity', async () => {
  const upstream = new ScriptedTransport()
  const { welcomed } = await serve({ upstream, maxJoinsPerIdentity: 1 })
  const page = await welcomed('ann')
  upstream.answers.join = new Error('no permission')
  expect(await page.join(topicOf('secret'))).toMatchObject({
    kind: 'refused',
    text: expect.stringMatching(/no permission/),
  })
  upstream.answers.join = 'resolve'
  expect((await page.join(topicOf('a'))).kind).toBe('joined')
})

test('joins of a trusted page are not counted for its identity', async () => {
  const { welcomed } = await serve({ maxJoinsPerIdentity: 1, session: () => ({ isTrusted: true }) })
  const page = await welcomed('ann')
  for (const name of ['a', 'b']) expect((await page.join(topicOf(name))).kind).toBe('joined')
})

const PAGES = 10
const TOPICS = 500
/** The longest name of a stream but for its number. */
const LONG = '%E2%82%AC'.repeat(310)

test('a topic that many pages have joined is in memory once', async () => {
  const { handlers, counts } = await manyPages()
  const before = heapUsed()
  for (const handler of handlers) {
    for (let n = 0; n < TOPICS; n++) handler.receive(encodeNumbered(KIND.join, n, topicOf(`${LONG}${n}`)))
  }
  // One of 2.8 KB for each page would be 14 MB.
  expect(heapUsed() - before).toBeLessThan(5_000_000)
  expect(counts.joins).toBe(PAGES * TOPICS)
})

test('streams on which a page has published a while ago are forgotten', async () => {
  const { handlers, counts } = await manyPages()
  const before = heapUsed()
  const prefixes = handlers.map((_, nth) => prefixOf(`page ${nth}`))
  // In turn, so that no page is silent for long.
  for (let n = 1; n <= TOPICS; n++) {
    for (const [nth, handler] of handlers.entries()) {
      const frame = frameOf(String(prefixes[nth]), n)
      handler.receive(encodeTopical(KIND.frame, topicOf(`${LONG}${n}`), frame))
    }
  }
  // Each stream with its topic takes 3.6 KB, so all would be 18 MB.
  expect(heapUsed() - before).toBeLessThan(5_000_000)
  expect(counts.received).toBe(PAGES * TOPICS)
})

/** Pages that are in, at limits at which a bucket is empty again at once. */
async function manyPages() {
  const { pages, enter } = await pagesByHand({ ratePerSecond: 1_000_000, maxMessagesPerSecond: 1_000_000 })
  const entered = await Promise.all(Array.from({ length: PAGES }, (_, nth) => enter(`page ${nth}`)))
  for (const { socket } of entered) socket.send = () => {} // what it keeps would be measured, too
  return { handlers: entered.map(({ page }) => page), counts: pages.counts }
}
