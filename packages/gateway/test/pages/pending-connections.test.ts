import { encodeNumbered, encodeText, encodeTopical, KIND } from '@rivulet/websocket/protocol'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { frameOf, prefix, secretOf, topicOf } from '../support/frames.ts'
import type { RawPage } from '../support/raw-page.ts'
import { HUB, serve } from '../support/scene.ts'

const HELLO = { version: 1, hub: HUB, secret: secretOf('ann'), token: 'ann' }
const FIRST: [what: string, send: (page: RawPage) => void][] = [
  ['a text message', (page) => page.send('hello')],
  ['nothing', (page) => page.send(new Uint8Array(0))],
  ['an unknown kind', (page) => page.send(new Uint8Array([200, 1, 2, 3]))],
  ['a frame', (page) => page.topical('frame', topicOf('positions'), frameOf(prefix('a')))],
  ['a join', (page) => page.send(encodeNumbered(KIND.join, 1, topicOf('positions')))],
  ['a message of the server', (page) => page.text('welcome', '{"version":1}')],
  ['a hello that is no JSON', (page) => page.text('hello', '{')],
  ['a hello that is a list', (page) => page.text('hello', '[]')],
  ['a hello without a version', (page) => page.hello({ hub: HUB })],
  ['a hello of another version', (page) => page.hello({ ...HELLO, version: 2 })],
  ['a hello without a hub', (page) => page.hello({ version: 1 })],
  ['a hello with a number for a hub', (page) => page.hello({ ...HELLO, hub: 7 })],
  ['a hello with a path for a hub', (page) => page.hello({ ...HELLO, hub: '../fleet' })],
  ['a hello with more than a hub', (page) => page.hello({ ...HELLO, hub: 'fleet/x' })],
  ['a hello with a number for a token', (page) => page.hello({ ...HELLO, token: 7 })],
  ['a hello without a secret', (page) => page.hello({ ...HELLO, secret: undefined })],
  ['a hello with more before its secret', (page) => page.hello({ ...HELLO, secret: `x${HELLO.secret}` })],
  ['a hello with more behind its secret', (page) => page.hello({ ...HELLO, secret: `${HELLO.secret}x` })],
  ['a hello with a short secret', (page) => page.hello({ ...HELLO, secret: 'abc' })],
  ['a hello with a number for a secret', (page) => page.hello({ ...HELLO, secret: 7 })],
  ['a hello with a list for a secret', (page) => page.hello({ ...HELLO, secret: [secretOf('ann')] })],
  ['a hello that is too large', (page) => page.hello({ ...HELLO, token: 'x'.repeat(13_000) })],
]

describe('a pending connection', () => {
  test.each(FIRST)('is refused for good after %s', async (_, send) => {
    const { raw, server } = await serve()
    const page = await raw()
    send(page)
    const { code, reason } = await page.closed
    expect(code).toBe(4400)
    expect(reason).not.toBe('')
    expect(server.pages.counts).toMatchObject({ pages: 0, received: 0 })
  })

  test('is refused when it sends more before it is welcomed', async () => {
    let letIn: (() => void) | undefined
    const gate = new Promise<void>((resolve) => {
      letIn = resolve
    })
    const { raw } = await serve({
      authenticate: async () => {
        await gate
        return { refused: 'too late', isFinal: true }
      },
    })
    const page = await raw()
    page.hello(HELLO)
    page.text('pong')
    expect(await page.closed).toEqual({ code: 4400, reason: 'a message before the welcome' })
    letIn?.()
  })

  test('is told why it is refused, and whether it may come back', async () => {
    const { raw } = await serve({
      authenticate: async ({ token }) => {
        if (token === 'broken') throw new Error('the database is away: password=hunter2')
        return { refused: `no ${'very '.repeat(60)}good`, isFinal: token === 'wrong' }
      },
    })
    const ends: unknown[] = []
    for (const token of ['wrong', 'busy', 'broken']) {
      const page = await raw()
      page.hello({ ...HELLO, token })
      ends.push(await page.closed)
    }
    expect(ends).toEqual([
      { code: 4401, reason: `no ${'very '.repeat(60)}`.slice(0, 120) },
      { code: 4105, reason: `no ${'very '.repeat(60)}`.slice(0, 120) },
      { code: 4105, reason: 'the server cannot check the token now' },
    ])
  })

  test('is evicted when there are too many, oldest first, with a code to come back', async () => {
    const { raw, welcomed, server } = await serve({ maxPending: 2 })
    await welcomed('known') // does not count
    const [oldest, second, third] = [await raw(), await raw(), await raw()]
    expect(await oldest.closed).toEqual({ code: 4105, reason: 'too many connections' })
    for (const [nth, page] of [second, third].entries()) {
      page.hello({ ...HELLO, secret: secretOf(`page ${nth}`) })
      await page.next('welcome')
    }
    expect(server.pages.counts.pages).toBe(3)
  })

  test('is let in however many others come after it and say nothing', async () => {
    const { raw, server } = await serve({ maxPending: 3 })
    const pages: RawPage[] = []
    for (let n = 0; n < 10; n++) pages.push(await raw())
    pages.at(-1)?.hello(HELLO)
    await pages.at(-1)?.next('welcome')
    const ended = await Promise.all(pages.slice(0, 7).map(({ closed }) => closed))
    expect(ended.map(({ code }) => code)).toEqual(Array(7).fill(4105))
    // Those that gave way hold no socket.
    await eventually(() => server.connections).toBe(3)
  })

  test('that gave way is hung up on, and not let in when it says hello all the same', async () => {
    const { server } = await serve({ maxPending: 1 })
    const ends: (number | 'terminated')[] = []
    const socket = { send() {}, close: (code: number) => ends.push(code), bufferedBytes: 0 }
    const page = server.pages.accept({ ...socket, terminate: () => ends.push('terminated') })
    server.pages.accept({ ...socket, terminate() {} })
    page.receive(encodeText(KIND.hello, JSON.stringify(HELLO)))
    expect(ends).toEqual([4105, 'terminated'])
    expect(page.isKnown).toBe(false)
  })

  test('that has gone makes room for another one', async () => {
    const { raw, welcomed, server } = await serve({ maxPending: 1 })
    const page = await raw()
    page.terminate()
    await eventually(() => server.connections).toBe(0)
    await welcomed('ann')
    expect(server.pages.counts.pages).toBe(1)
  })
})

const LATER: [what: string, send: (page: RawPage) => void][] = [
  ['a second hello', (page) => page.hello(HELLO)],
  ['a text message', (page) => page.send('frame')],
  ['an unknown kind', (page) => page.send(new Uint8Array([99]))],
  ['a join without a number', (page) => page.send(new Uint8Array([KIND.join, 0]))],
  ['a frame without a topic', (page) => page.send(new Uint8Array([KIND.frame]))],
  ['a frame whose topic is longer than it', (page) => page.send(new Uint8Array([KIND.frame, 255, 255, 65]))],
  ['a topic that is no UTF-8', (page) => page.send(new Uint8Array([KIND.leave, 0, 1, 255]))],
  ['a message of the server', (page) => page.send(encodeText(KIND.ping))],
  ['a refusal', (page) => page.send(encodeNumbered(KIND.refused, 1, 'no'))],
  [
    'a message that is too large',
    (page) => page.send(encodeTopical(KIND.frame, 'x', new Uint8Array(340_000))),
  ],
]

describe('a page', () => {
  test.each(LATER)('is refused for good after %s', async (_, send) => {
    const { welcomed, server } = await serve()
    const page = await welcomed('ann')
    send(page)
    expect(await page.closed).toMatchObject({ code: 4400 })
    expect(server.pages.counts).toMatchObject({ pages: 0, joins: 0, received: 0 })
  })

  test('joins as many streams as it may, and those again that it has left', async () => {
    const { welcomed, server } = await serve({ maxJoinsPerPage: 3 })
    const page = await welcomed('ann')
    const answers: string[] = []
    for (const name of ['a', 'b', 'c', 'd']) answers.push((await page.join(topicOf(name))).kind)
    expect(answers).toEqual(['joined', 'joined', 'joined', 'refused'])
    page.topical('leave', topicOf('a'))
    page.topical('leave', topicOf('never'))
    expect((await page.join(topicOf('d'))).kind).toBe('joined')
    expect((await page.join(topicOf('d'))).kind, 'asked again').toBe('joined')
    expect(server.pages.counts).toMatchObject({ joins: 3, refused: 1 })
  })

  test('is ended when it asks for too much', async () => {
    const { welcomed, server } = await serve({ maxJoinsPerPage: 10 })
    const page = await welcomed('ann')
    for (let n = 0; n < 20_000; n++) page.topical('leave', topicOf(`stream-${n}`))
    expect(await page.closed).toEqual({ code: 4105, reason: 'too many requests' })
    expect(server.pages.counts).toMatchObject({ pages: 0, joins: 0 })
  })

  test('is ended when it goes on sending what is refused', async () => {
    const { welcomed } = await serve()
    const page = await welcomed('ann')
    for (let n = 0; n < 50_000; n++) page.topical('frame', topicOf('positions'), '{')
    expect(await page.closed).toEqual({ code: 4105, reason: 'too many refused frames' })
  })
})
