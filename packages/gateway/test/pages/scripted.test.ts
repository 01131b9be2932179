import { encodeNumbered, encodeText, encodeTopical, KIND } from '@rivulet/websocket/protocol'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { ScriptedTransport } from '../../../../test/support/scripted-transport.ts'
import type { PageSession } from '../../src/relay.ts'
import { frameOf, prefix, prefixesOf, prefixOf, removalOf, secretOf, topicOf } from '../support/frames.ts'
import { type HandPage, type HandPagesOptions, HOST, pagesByHand, until } from '../support/hand-pages.ts'

const TOPIC = topicOf('positions')
const OTHER = topicOf('orders')
const ANNS = prefixOf('ann')
const NEVER = new AbortController().signal
const NO_REPORT = 'The server refused a frame: the transport upstream refused something on this stream.'

// Time passes by hand.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  return () => void vi.useRealTimers()
})

/** Pages over a transport upstream that a test plays. */
async function overScripted(options: Omit<HandPagesOptions, 'upstream'> = {}) {
  const upstream = new ScriptedTransport()
  return { upstream, ...(await pagesByHand({ upstream, ...options })) }
}

/** Notes what is logged. */
function noteLog() {
  const lines: [level: string, message: string, fields: object][] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields])
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn') } }
}

const join = ({ page }: HandPage, id: number, topic = TOPIC) =>
  page.receive(encodeNumbered(KIND.join, id, topic))
const leave = ({ page }: HandPage, topic = TOPIC) => page.receive(encodeTopical(KIND.leave, topic))
const barrier = ({ page }: HandPage, id: number) => page.receive(encodeNumbered(KIND.barrier, id))
const send = ({ page }: HandPage, frame: string, topic = TOPIC) =>
  page.receive(encodeTopical(KIND.frame, topic, frame))
/** What a page was told, pings and the welcome excepted. */
const told = ({ socket }: HandPage) =>
  socket.take().filter(({ kind }) => kind !== KIND.ping && kind !== KIND.welcome)
const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a page whose barriers wait is told that upstream goes on, if it takes that', async () => {
  const { upstream, connect, enter } = await overScripted()
  upstream.answers.flush = 'hang'
  const ann = connect()
  const hello = { version: 1, hub: 'fleet', secret: secretOf('ann'), token: 'ann', progress: true }
  ann.page.receive(encodeText(KIND.hello, JSON.stringify(hello)))
  await until(() => ann.socket.count(KIND.welcome) === 1)
  const old = await enter('bob')
  for (const id of [1, 2]) for (const page of [ann, old]) barrier(page, id)
  await tick()
  for (const isCongested of [true, false]) {
    upstream.host.progress?.(isCongested)
    vi.advanceTimersByTime(500)
  }
  expect(told(old)).toEqual([])
  const progress = (congested: boolean) => ({ kind: KIND.progress, text: JSON.stringify({ congested }) })
  expect(told(ann)).toMatchObject([progress(true), progress(false)])
  upstream.flushes[0]?.resolve()
  await tick()
  for (const page of [ann, old]) expect(told(page).map(({ id }) => id)).toEqual([1, 2])
})

test('a page is told of a frame that was refused since too much is on its way', async () => {
  const { upstream, relay: made, enter } = await overScripted()
  upstream.answers.flush = 'hang'
  const ann = await enter('ann')
  for (let nth = 0; nth < 128; nth++) made.send(TOPIC as never, new Uint8Array(65_536))
  send(ann, frameOf(ANNS))
  barrier(ann, 1)
  await tick()
  const fault = { kind: KIND.fault, text: expect.stringContaining('too much is on its way to the broker') }
  expect(told(ann)).toMatchObject([fault])
})

describe('the end of a page', () => {
  test('is logged and counted once, and nothing is taken after it', async () => {
    const { lines, log } = noteLog()
    const { pages, enter } = await pagesByHand({ log })
    const ann = await enter('ann')
    expect(ann.page.isKnown).toBe(true)
    join(ann, 1)
    for (let n = 0; n < 2; n++) ann.page.closed()
    ann.page.receive('a text')
    send(ann, frameOf(ANNS))
    expect(ann.socket.ends).toEqual([4105])
    expect(pages.counts).toEqual({ pages: 0, joins: 0, received: 0, sent: 0, dropped: 0, refused: 0 })
    expect(lines).toEqual([
      ['debug', 'a page was let in', { pages: 1 }],
      ['debug', 'a page has ended', { code: 4105, reason: 'the page went away' }],
    ])
  })

  test('of an unknown page is logged as the end of any', async () => {
    const { lines, log } = noteLog()
    const { connect, greet } = await pagesByHand({ log, authenticate: () => new Promise(() => {}) })
    const { page } = connect()
    greet(page, 'ann')
    page.closed()
    expect(lines).toEqual([['debug', 'a page has ended', { code: 4105, reason: 'the page went away' }]])
  })

  test('by a fault of the server is logged as such', async () => {
    const { lines, log } = noteLog()
    const broken = new Error('broken')
    const { enter } = await pagesByHand({
      log,
      session: () => ({
        may: () => {
          throw broken
        },
        ended: () => {
          throw broken
        },
      }),
    })
    const ann = await enter('ann')
    lines.length = 0
    join(ann, 1)
    expect(ann.socket.ends).toEqual([4105])
    expect(ann.socket.reason).toBe('the server failed')
    expect(lines).toEqual([
      ['warn', 'the `ended` of a session threw', { fault: broken }],
      [
        'warn',
        'a page was ended by a fault of the server',
        { code: 4105, reason: 'the server failed', fault: broken },
      ],
    ])
  })

  test('by a socket that fails is logged so, too', async () => {
    const { lines, log } = noteLog()
    const { enter } = await pagesByHand({ log })
    const ann = await enter('ann')
    const broken = new Error('broken')
    ann.socket.send = () => {
      throw broken
    }
    join(ann, 1)
    expect(ann.socket.reason).toBe('the socket failed')
    expect(lines.at(-1)).toMatchObject([
      'warn',
      expect.any(String),
      { reason: 'the socket failed', fault: broken },
    ])
  })

  test('terminates a socket that does not close within two seconds', async () => {
    const { connect } = await pagesByHand()
    const [ann] = [connect(), connect()]
    expect(vi.getTimerCount(), 'one timer for all').toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    ann.page.receive('a text')
    await vi.advanceTimersByTimeAsync(1_999)
    expect(ann.socket.ends).toEqual([4400])
    expect(ann.socket.reason).toBe('a text message')
    await vi.advanceTimersByTimeAsync(2_001)
    expect(ann.socket.ends).toEqual([4400, 'terminated'])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ann.socket.ends).toEqual([4400, 'terminated'])
  })

  test('that has said something wrong is told what', async () => {
    const { enter, connect } = await pagesByHand()
    const ends = [
      [encodeText(KIND.hello), 'a second hello, or a message that only the server sends'],
      [new Uint8Array(323 * 1024), 'a malformed message'],
      [new Uint8Array(323 * 1024 + 1), 'a message that is too large'],
      [new Uint8Array([99]), 'a malformed message'],
    ] as const
    for (const [message, reason] of ends) {
      const ann = await enter('ann')
      ann.page.receive(message)
      expect([ann.socket.ends, ann.socket.reason]).toEqual([[4400], reason])
    }
    for (const [bytes, reason] of [
      [12 * 1024, 'a malformed message'],
      [12 * 1024 + 1, 'a message that is too large'],
    ] as const) {
      const unknown = connect()
      unknown.page.receive(new Uint8Array(bytes))
      expect([unknown.socket.ends, unknown.socket.reason]).toEqual([[4400], reason])
    }
    const hasty = connect()
    hasty.page.receive(encodeText(KIND.pong))
    expect([hasty.socket.ends, hasty.socket.reason]).toEqual([[4400], 'the first message is no hello'])
  })

  test('of a server that closes is told to all, and to those that come later', async () => {
    const { pages, enter, connect } = await pagesByHand()
    const ann = await enter('ann')
    const early = connect()
    pages.close()
    const late = connect()
    for (const { socket } of [ann, early, late]) {
      expect([socket.ends, socket.reason]).toEqual([[4101], 'the server closes'])
    }
    expect(pages.counts.pages).toBe(0)
  })

  test('of one session leaves pending connections and other sessions', async () => {
    const { pages, enter, connect } = await pagesByHand()
    const [ann, bob, unknown] = [await enter('ann'), await enter('bob'), connect()]
    pages.endWhere(({ identity }) => identity === 'ann')
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4103], 'the session was ended'])
    expect([bob.socket.ends, unknown.socket.ends]).toEqual([[], []])
  })
})

describe('a page', () => {
  test('that goes while its prefixes are made is not let in', async () => {
    const { pages, enter, connect, greet } = await pagesByHand()
    const gone = connect()
    greet(gone.page, 'gone')
    for (let n = 0; !gone.page.isKnown && n < 100; n++) await undefined
    expect(gone.page.isKnown).toBe(true)
    gone.page.closed()
    await enter('ann')
    expect(gone.socket.sent).toEqual([])
    expect(pages.counts.pages).toBe(1)
  })

  test('that the log ends in the moment before is not let in', async () => {
    const { upstream, relay, pages, connect, greet } = await overScripted({
      log: { info() {}, warn() {}, debug: (_, message) => message === 'a page was let in' && pages.close() },
    })
    upstream.host.down(new Error('gone'))
    let holds = 0
    const attach = relay.attach.bind(relay)
    relay.attach = (guest) => {
      const port = attach(guest)
      port.hold = () => void holds++
      return port
    }
    const waiting = [connect(), connect()]
    for (const [nth, { page }] of waiting.entries()) greet(page, `page ${nth}`)
    await until(() => holds === 2)
    await relay.open(HOST, NEVER)
    expect(waiting.map(({ socket }) => [socket.count(KIND.welcome), ...socket.ends])).toEqual([
      [0, 4101],
      [0, 4101],
    ])
    expect(pages.counts.pages).toBe(0)
  })

  test('that takes ten seconds is not let in, and is told so', async () => {
    const { connect, greet } = await pagesByHand({ authenticate: () => new Promise(() => {}) })
    vi.advanceTimersByTime(60_000)
    const [silent, held] = [connect(), connect()]
    greet(held.page, 'held')
    vi.advanceTimersByTime(8_000)
    expect([silent.socket.ends, held.socket.ends]).toEqual([[], []])
    vi.advanceTimersByTime(2_000)
    for (const { socket } of [silent, held]) {
      expect([socket.ends, socket.reason]).toEqual([[4105], 'not let in within 10 seconds'])
    }
    vi.advanceTimersByTime(2_000)
    expect(silent.socket.ends).toEqual([4105, 'terminated'])
  })
})

describe('a page that was silent', () => {
  test('before its hello is in no doubt', async () => {
    const { pages, connect, greet } = await pagesByHand()
    const ann = connect()
    vi.advanceTimersByTime(6_000)
    greet(ann.page, 'ann')
    await until(() => ann.socket.count(KIND.welcome) === 1)
    send(ann, frameOf(ANNS))
    expect([pages.counts.received, ann.socket.ends]).toEqual([1, []])
  })

  test('for six seconds is told so', async () => {
    const { enter } = await pagesByHand()
    const { socket } = await enter('ann')
    vi.advanceTimersByTime(6_000)
    expect([socket.ends, socket.reason]).toEqual([[4102, 'terminated'], 'the page was silent for 6 seconds'])
  })

  test('is in doubt after a silence until it answers a ping sent after it', async () => {
    const { pages, enter } = await pagesByHand()
    const ann = await enter('ann')
    const pong = () => ann.page.receive(encodeText(KIND.pong))
    for (let pings = 1; pings <= 3; pings++) {
      vi.advanceTimersByTime(2_000)
      expect(ann.socket.count(KIND.ping)).toBe(pings)
      pong()
    }
    vi.advanceTimersByTime(5_000)
    expect(ann.socket.count(KIND.ping)).toBe(5)
    for (let n = 0; n < 2; n++) pong()
    send(ann, frameOf(ANNS))
    expect([ann.socket.ends, ann.socket.reason]).toEqual([
      [4102, 'terminated'],
      'what the page sent was held back on the way',
    ])
    expect(pages.counts.received).toBe(0)
  })
})

describe('a reason', () => {
  test.each([
    ['as it is, up to 120 bytes', 'é'.repeat(60), 'é'.repeat(60)],
    ['without half a character', `x${'é'.repeat(60)}`, `x${'é'.repeat(59)}`],
    ['with marks of its own', `\uFFFD${'x'.repeat(120)}`, `\uFFFD${'x'.repeat(117)}`],
  ])('is told %s', async (_, refused, told) => {
    const { connect, greet } = await pagesByHand({
      authenticate: async () => ({ refused, isFinal: true }),
    })
    const { socket, page } = connect()
    greet(page, 'ann')
    await until(() => socket.ends.length > 0)
    expect([socket.ends, socket.reason]).toEqual([[4401], told])
  })
})

describe('upstream', () => {
  test('that is away ends the pages that are in; a waiting one is let in when it is back', async () => {
    const { upstream, relay, pages, enter, connect, greet } = await overScripted()
    const ann = await enter('ann')
    upstream.host.down(new Error('gone'))
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4100], 'the transport upstream is away'])
    const bob = connect()
    greet(bob.page, 'bob')
    await until(() => bob.page.isKnown)
    await tick()
    await relay.close(AbortSignal.abort())
    expect([bob.socket.sent, bob.socket.ends]).toEqual([[], []])
    await relay.open(HOST, NEVER)
    await until(() => bob.socket.count(KIND.welcome) === 1)
    expect(pages.counts.pages).toBe(1)
  })

  test('that is closed ends the pages that are in; a waiting one may say nothing yet', async () => {
    const { upstream, relay, enter, connect, greet } = await overScripted()
    const ann = await enter('ann')
    await relay.close(NEVER)
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4101], 'the server closes'])
    await relay.open(HOST, NEVER)
    upstream.host.down(new Error('gone'))
    const bob = connect()
    greet(bob.page, 'bob')
    await until(() => bob.page.isKnown)
    await tick()
    bob.page.receive(encodeText(KIND.pong))
    expect([bob.socket.ends, bob.socket.reason]).toEqual([[4400], 'a message before the welcome'])
  })

  test('that refuses something reports to pages that sent on the topic, and trusted ones', async () => {
    const { upstream, enter } = await overScripted({
      session: (token) => ({ isTrusted: token === 'trusted' }),
    })
    const [ann, bob, trusted] = [await enter('ann'), await enter('bob'), await enter('trusted')]
    send(ann, frameOf(ANNS))
    send(bob, frameOf(prefixOf('bob')), OTHER)
    upstream.host.error(TOPIC as never, new Error('a secret of the broker'))
    for (const each of [ann, bob, trusted]) barrier(each, 7)
    await tick()
    const fault = { kind: KIND.fault, topic: TOPIC, text: NO_REPORT }
    expect(told(ann)).toMatchObject([fault, { kind: KIND.barrier, id: 7 }])
    expect(told(bob)).toMatchObject([{ kind: KIND.barrier, id: 7 }])
    expect(told(trusted)).toMatchObject([fault, { kind: KIND.barrier, id: 7 }])
    barrier(ann, 8)
    await tick()
    expect(told(ann), 'it is told once').toMatchObject([{ kind: KIND.barrier, id: 8 }])
  })

  test('that does not take a frame ends the page, which is told so', async () => {
    const { upstream, enter } = await overScripted()
    const ann = await enter('ann')
    upstream.sending = 'offline'
    send(ann, frameOf(ANNS))
    expect([ann.socket.ends, ann.socket.reason]).toEqual([
      [4100],
      'the transport upstream did not take a frame',
    ])
  })
})

describe('joins', () => {
  test('of one topic are asked for once, and confirmed to all', async () => {
    const { upstream, pages, enter } = await overScripted()
    upstream.answers.join = 'hang'
    const [ann, bob, cyd] = [await enter('ann'), await enter('bob'), await enter('cyd')]
    join(ann, 1)
    join(bob, 2)
    join(bob, 3)
    await tick()
    expect(upstream.joins.length).toBe(1)
    upstream.host.receive(TOPIC as never, frameOf(prefix('a')))
    expect([told(ann), told(bob)]).toEqual([[], []])
    upstream.joins[0]?.resolve()
    await tick()
    expect(told(ann)).toMatchObject([{ kind: KIND.joined, id: 1 }])
    expect(told(bob), 'by its last number').toMatchObject([{ kind: KIND.joined, id: 3 }])
    join(cyd, 4)
    join(cyd, 5)
    expect(told(cyd)).toMatchObject([
      { kind: KIND.joined, id: 4 },
      { kind: KIND.joined, id: 5 },
    ])
    expect(upstream.joins.length).toBe(1)
    expect(pages.counts.joins).toBe(3)
    for (const each of [ann, bob]) leave(each)
    leave(bob)
    expect([upstream.left, pages.counts.joins]).toEqual([[], 1])
    upstream.host.receive(TOPIC as never, frameOf(prefix('a')))
    expect([told(ann).length, told(bob).length, told(cyd).length]).toEqual([0, 0, 1])
    leave(cyd)
    await tick()
    expect([upstream.left, pages.counts.joins]).toEqual([[TOPIC], 0])
  })

  test('that upstream refuses are refused to all who still want them', async () => {
    const { upstream, pages, enter } = await overScripted()
    upstream.answers.join = 'hang'
    const [ann, bob] = [await enter('ann'), await enter('bob')]
    join(ann, 1)
    join(bob, 2)
    leave(bob)
    await tick()
    upstream.joins[0]?.reject(new Error('no such topic'))
    await tick()
    expect(told(ann)).toMatchObject([
      { kind: KIND.refused, id: 1, text: expect.stringContaining('no such topic') },
    ])
    expect(told(bob)).toEqual([])
    expect(pages.counts).toMatchObject({ joins: 0, refused: 1 })
  })

  test('that upstream ends are told to their pages, and to none twice', async () => {
    const { upstream, pages, enter } = await overScripted()
    const [ann, bob] = [await enter('ann'), await enter('bob')]
    for (const each of [ann, bob]) join(each, 1)
    await tick()
    for (const each of [ann, bob]) told(each)
    leave(bob)
    for (let n = 0; n < 2; n++) upstream.host.left(TOPIC as never, new Error('kicked'))
    expect(told(ann)).toMatchObject([{ kind: KIND.left, topic: TOPIC, text: 'kicked' }])
    expect(told(bob)).toEqual([])
    expect(pages.counts.joins).toBe(0)
    join(ann, 2)
    expect(told(ann), 'for a second').toMatchObject([
      { kind: KIND.refused, id: 2, text: expect.stringContaining('kicked') },
    ])
  })

  test('ask for the grant to listen, at each join and with each new token', async () => {
    const { enter } = await pagesByHand({
      session: (token) => ({ identity: 'ann', may: (action) => action === 'listen' || token === 'wide' }),
    })
    const ann = await enter('wide')
    join(ann, 1)
    ann.page.receive(encodeText(KIND.token, 'narrow'))
    await tick()
    join(ann, 2, OTHER)
    expect(told(ann).map(({ kind }) => kind)).toEqual([KIND.joined, KIND.renewed, KIND.joined])
  })

  test('beyond what a page may have are refused with the number of them', async () => {
    const { enter } = await pagesByHand({ maxJoinsPerPage: 1 })
    const ann = await enter('ann')
    join(ann, 1)
    join(ann, 2, OTHER)
    expect(told(ann)).toMatchObject([
      { kind: KIND.joined, id: 1 },
      { kind: KIND.refused, id: 2, text: 'more than 1 streams' },
    ])
  })

  test('are taken back from the relay with the last page, and the group with them', async () => {
    const { upstream, relay, enter } = await overScripted()
    const attach = vi.spyOn(relay, 'attach')
    const first = await enter('ann')
    join(first, 1)
    await tick()
    first.page.closed()
    await tick()
    expect(upstream.left).toEqual([TOPIC])
    const second = await enter('ann')
    expect(attach).toHaveBeenCalledTimes(2)
    join(second, 1)
    await tick()
    upstream.host.receive(TOPIC as never, frameOf(prefix('a')))
    expect(told(second)).toMatchObject([{ kind: KIND.joined }, { kind: KIND.frame }])
    expect(told(first).filter(({ kind }) => kind === KIND.frame)).toEqual([])
    await enter('bob')
    expect(attach).toHaveBeenCalledTimes(2)
  })
})

describe('a token', () => {
  const token = ({ page }: HandPage, text: string) => page.receive(encodeText(KIND.token, text))

  test('that is over ends the page at its next message, and at the next look', async () => {
    const { enter } = await pagesByHand({ session: () => ({ expiresMs: Date.now() + 1_000 }) })
    const [ann, bob] = [await enter('ann'), await enter('bob')]
    const [{ text } = { text: '' }] = ann.socket.take()
    expect(JSON.parse(text)).toMatchObject({ expiresInMs: 1_000 })
    vi.advanceTimersByTime(999)
    barrier(ann, 1)
    expect(told(ann)).toMatchObject([{ kind: KIND.barrier }])
    vi.advanceTimersByTime(1)
    barrier(ann, 2)
    expect(told(ann)).toEqual([])
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4103], 'the token expired'])
    vi.advanceTimersByTime(2_000)
    expect([bob.socket.ends, bob.socket.reason]).toEqual([[4103], 'the token expired'])
  })

  test('that is renewed tells the session before it, unless it is the same', async () => {
    const ended: string[] = []
    const sessions = new Map<string, object>()
    const { relay, enter } = await pagesByHand({
      authenticate: async ({ token = '' }) => {
        const known = sessions.get(token) as never
        const made = {
          relay,
          identity: 'ann',
          may: () => true,
          expiresMs: undefined,
          prefixKey: undefined,
          ended: () => void ended.push(token),
        }
        sessions.set(token, known ?? made)
        return known ?? made
      },
    })
    const ann = await enter('one')
    token(ann, 'one')
    await tick()
    expect([told(ann), ended]).toMatchObject([[{ kind: KIND.renewed, text: '{}' }], []])
    token(ann, 'two')
    await tick()
    expect([told(ann), ended]).toMatchObject([[{ kind: KIND.renewed }], ['one']])
    ann.page.closed()
    expect(ended).toEqual(['one', 'two'])
  })

  test('that is no text is none', async () => {
    const tokens: (string | undefined)[] = []
    const { relay, enter } = await pagesByHand({
      authenticate: async ({ token }) => {
        tokens.push(token)
        return { relay, identity: 'ann', may: () => true, expiresMs: undefined, prefixKey: undefined }
      },
    })
    const ann = await enter('ann')
    ann.page.receive(new Uint8Array([KIND.token, 0xff]))
    expect(tokens).toEqual(['ann', ''])
  })

  test('that gives the session again whose page has gone ends it once', async () => {
    let ended = 0
    let answer = () => {}
    let session: PageSession | undefined
    const { relay, enter } = await pagesByHand({
      authenticate: async () => {
        if (session !== undefined) await new Promise<void>((resolve) => (answer = resolve))
        session ??= {
          relay,
          identity: 'ann',
          may: () => true,
          expiresMs: undefined,
          prefixKey: undefined,
          ended: () => void ended++,
        }
        return session
      },
    })
    const ann = await enter('ann')
    token(ann, 'again')
    ann.page.closed()
    answer()
    await tick()
    expect(ended).toBe(1)
  })

  test('that is checked when the page has gone tells its session, but not twice', async () => {
    const ended: string[] = []
    const answers: (() => void)[] = []
    const { relay, connect, greet } = await pagesByHand({
      authenticate: async ({ token = '' }) => {
        await new Promise<void>((resolve) => answers.push(resolve))
        return {
          relay,
          identity: 'ann',
          may: () => true,
          expiresMs: undefined,
          prefixKey: undefined,
          ended: () => void ended.push(token),
        }
      },
    })
    const gone = connect()
    greet(gone.page, 'gone')
    gone.page.closed()
    answers.shift()?.()
    await tick()
    expect(ended).toEqual(['gone'])
    const ann = connect()
    greet(ann.page, 'first')
    answers.shift()?.()
    await until(() => ann.socket.count(KIND.welcome) === 1)
    token(ann, 'second')
    ann.page.closed()
    expect(ended).toEqual(['gone', 'first'])
    answers.shift()?.()
    await tick()
    expect(ended).toEqual(['gone', 'first', 'second'])
  })
})

describe('rates', () => {
  test('of requests hold twice the joins, and more a second; trusted pages have none', async () => {
    const { pages, enter } = await pagesByHand({
      maxJoinsPerPage: 10,
      session: (token) => ({ isTrusted: token === 'trusted' }),
    })
    const ann = await enter('ann')
    const trusted = await enter('trusted')
    for (let n = 0; n < 220; n++) leave(ann)
    expect(ann.socket.ends).toEqual([])
    vi.advanceTimersByTime(5)
    leave(ann)
    expect(ann.socket.ends).toEqual([])
    leave(ann)
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4105], 'too many requests'])
    for (let n = 0; n < 5_000; n++) leave(trusted)
    expect(trusted.socket.ends).toEqual([])
    expect(pages.counts.pages).toBe(1)
  })

  test('stay with the identity when a page comes back, until they are as good as new', async () => {
    const { pages, enter } = await pagesByHand({ maxMessagesPerSecond: 10 })
    const publish = (ann: HandPage, mine: string) => {
      const before = pages.counts.received
      for (let n = 1; n <= 100; n++) send(ann, frameOf(mine, n), topicOf(`s${n}`))
      return pages.counts.received - before
    }
    const first = await enter('ann')
    const second = await enter('ann', secretOf('another'))
    expect(publish(first, ANNS)).toBe(20)
    first.page.closed()
    second.page.closed()
    // Of the two that wait the one with the least room is given first, then the other one.
    const third = await enter('ann')
    expect(publish(third, ANNS)).toBe(0)
    const fourth = await enter('ann', secretOf('another'))
    expect(publish(fourth, prefixOf('another'))).toBe(20)
    third.page.closed()
    fourth.page.closed()
    await vi.advanceTimersByTimeAsync(4_000)
    const fifth = await enter('ann')
    expect(publish(fifth, ANNS)).toBe(20)
  })

  test('are not used up by a page while it is trusted', async () => {
    let isTrusted = true
    const { pages, enter } = await pagesByHand({ maxMessagesPerSecond: 1, session: () => ({ isTrusted }) })
    const trusted = await enter('ann')
    for (let n = 1; n <= 100; n++) send(trusted, frameOf(ANNS, n))
    expect(pages.counts.received).toBe(100)
    trusted.page.closed()
    isTrusted = false
    const ann = await enter('ann')
    for (let n = 1; n <= 100; n++) send(ann, frameOf(ANNS, 100 + n))
    expect(pages.counts.received).toBe(102)
  })

  test('of removals are a rate of their own, and need the grant of their own', async () => {
    const { pages, enter } = await pagesByHand({ session: () => ({ may: (action) => action !== 'publish' }) })
    const ann = await enter('ann')
    for (let n = 1; n <= 7; n++) send(ann, removalOf(ANNS, n))
    expect(pages.counts.received).toBe(5)
    send(ann, frameOf(ANNS, 8))
    barrier(ann, 1)
    expect(told(ann)[0]).toMatchObject({
      text: 'The server refused a frame: more than 5 removals a second.',
    })
  })

  test('of what is refused end the page beyond two thousand at once', async () => {
    const { pages, enter } = await pagesByHand()
    const ann = await enter('ann')
    for (let n = 0; n < 2_000; n++) send(ann, '{')
    expect(ann.socket.ends).toEqual([])
    send(ann, '{')
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4105], 'too many refused frames'])
    expect(pages.counts.refused).toBe(2_001)
  })

  test('tell a page of a topic by its name, unless that is too long for one', async () => {
    const { enter } = await pagesByHand()
    const ann = await enter('ann')
    const longest = 'x'.repeat(4_096)
    for (const topic of [longest, `${longest}x`]) send(ann, '{', topic)
    barrier(ann, 1)
    expect(told(ann).map(({ topic }) => topic)).toEqual([longest, '', ''])
  })
})

describe('the flow to pages', () => {
  /** Pages over a transport upstream, at most two messages at once, and one that has joined. */
  async function listening(session?: HandPagesOptions['session']) {
    const options = { ratePerSecond: 1, burst: 1, ...(session === undefined ? {} : { session }) }
    const { upstream, pages, enter } = await overScripted(options)
    const ann = await enter('ann')
    join(ann, 1)
    await tick()
    const heard = (...frames: string[]) => {
      const before = pages.counts.sent
      for (const frame of frames) upstream.host.receive(TOPIC as never, frame)
      return pages.counts.sent - before
    }
    return { pages, heard }
  }
  const frames = (count: number) => Array.from({ length: count }, (_, n) => frameOf(prefix('a'), n + 1))
  const GARBAGE = '{"data":7}'

  test('counts the messages that are well-formed, and a removal as one', async () => {
    const { heard } = await listening()
    const half = `[{"data":7},${frameOf(prefix('a'))}]`
    expect(heard(half, half, half)).toBe(2)
    vi.advanceTimersByTime(4_000)
    const byHand = removalOf(prefix('a')).replace('"removed":true', '"removed": true')
    expect(heard(byHand, byHand, byHand)).toBe(2)
  })

  test('is not held back by less garbage than messages may come, but by more', async () => {
    const { heard } = await listening()
    expect(heard(GARBAGE, ...frames(3))).toBe(2)
    vi.advanceTimersByTime(4_000)
    expect(heard(GARBAGE, GARBAGE, ...frames(3))).toBe(0)
    vi.advanceTimersByTime(1_000)
    expect(heard(...frames(3))).toBe(2)
  })

  test('has at most the size that the core takes', async () => {
    const { heard } = await listening()
    const frameOfSize = (bytes: number) => {
      const rest = bytes - frameOf(prefix('a'), 1, { text: '' }).length
      return frameOf(prefix('a'), 1, { text: 'x'.repeat(rest) })
    }
    expect(heard(frameOfSize(327_681))).toBe(0)
    expect(heard(frameOfSize(327_680))).toBe(1)
  })

  test('is neither limited nor counted as dropped for a trusted page', async () => {
    const { pages, heard } = await listening(() => ({ isTrusted: true }))
    expect(heard(...frames(100))).toBe(100)
    expect(pages.counts.dropped).toBe(0)
  })
})

describe('room', () => {
  test('for what waits is used to the byte; an answer beyond it ends the page', async () => {
    const { relay, pages, enter } = await pagesByHand({ maxWaitingBytes: 16_384 })
    const ann = await enter('ann')
    join(ann, 1)
    const { length } = encodeTopical(KIND.frame, TOPIC, frameOf(prefix('a'), 1))
    for (const [bytes, sent] of [
      [16_384 - length, 1],
      [16_385 - length, 1],
    ] as const) {
      ann.socket.bufferedBytes = bytes
      relay.send(TOPIC as never, frameOf(prefix('a'), 1))
      expect(pages.counts.sent).toBe(sent)
    }
    ann.socket.bufferedBytes = 1_000_000
    barrier(ann, 1)
    expect([ann.socket.ends, ann.socket.reason]).toEqual([[4102, 'terminated'], 'the page does not read'])
  })

  test('of upstream for a frame is used to the byte', async () => {
    const upstream = new ScriptedTransport()
    const frame = frameOf(ANNS)
    upstream.capabilities = { ...upstream.capabilities, maxFrameBytes: () => frame.length }
    const { enter } = await pagesByHand({ upstream })
    const ann = await enter('ann')
    send(ann, frame)
    expect(upstream.sent.length).toBe(1)
    send(ann, frameOf(ANNS, 2, { n: 10 }))
    barrier(ann, 1)
    expect(told(ann)[0]?.text).toContain('too large for the transport upstream')
  })

  test('for streams is taken by those that are not idle; one that has its place goes on', async () => {
    const { pages, enter } = await pagesByHand({
      ratePerSecond: 0.001,
      burst: 2,
      maxMessagesPerSecond: 10_000,
    })
    const ann = await enter('ann')
    for (let n = 1; n <= 1_024; n++) send(ann, frameOf(ANNS, n), topicOf(`s${n}`))
    send(ann, frameOf(ANNS, 2_000), topicOf('one-more'))
    send(ann, frameOf(ANNS, 2_001), topicOf('s1'))
    expect(pages.counts).toMatchObject({ received: 1_025, refused: 1 })
    send(ann, frameOf(ANNS, 2_002), topicOf('s1'))
    barrier(ann, 1)
    expect(told(ann)).toMatchObject([
      { topic: topicOf('one-more'), text: 'The server refused a frame: too many streams at once.' },
      {
        topic: topicOf('s1'),
        text: 'The server refused a frame: more than 0.001 messages a second on a stream.',
      },
      { kind: KIND.barrier },
    ])
  })
})

describe('the streams of a page', () => {
  test('are kept while among the latest sixteen, and dropped once idle beyond', async () => {
    const { upstream, enter } = await overScripted()
    const ann = await enter('ann')
    for (let n = 1; n <= 20; n++) send(ann, frameOf(ANNS, n), topicOf(`s${n}`))
    vi.advanceTimersByTime(2_000)
    for (const n of [1, 4, 5, 20]) upstream.host.error(topicOf(`s${n}`) as never, new Error('refused'))
    barrier(ann, 1)
    await tick()
    const topics = told(ann).map(({ topic }) => topic)
    expect(topics).toEqual([topicOf('s5'), topicOf('s20'), ''])
  })

  test('make room for others although the oldest of them is not idle yet', async () => {
    const { pages, enter } = await pagesByHand({ ratePerSecond: 1, burst: 1, maxMessagesPerSecond: 10_000 })
    const ann = await enter('ann')
    send(ann, frameOf(ANNS, 1), topicOf('s1'))
    for (let n = 1; n <= 1_024; n++) send(ann, frameOf(ANNS, n + 1), topicOf(`s${n}`))
    vi.advanceTimersByTime(1_500)
    send(ann, frameOf(ANNS, 2_000), topicOf('new'))
    expect(pages.counts).toMatchObject({ received: 1_026, refused: 0 })
  })
})

describe('a page that comes back', () => {
  test('and fails before it is in takes over nothing', async () => {
    const { enter, connect, greet } = await pagesByHand()
    const first = await enter('ann')
    const broken = connect()
    broken.socket.send = () => {
      throw new Error('broken')
    }
    greet(broken.page, 'ann')
    await until(() => broken.socket.ends.length > 0)
    expect(broken.socket.reason).toBe('the socket failed')
    expect(first.socket.ends).toEqual([])
  })

  test('takes over only its own prefixes, and keeps them when the older connection ends', async () => {
    const { upstream, pages, enter } = await overScripted()
    const [first, bob] = [await enter('ann'), await enter('bob')]
    const second = await enter('ann')
    expect([first.socket.ends, first.socket.reason]).toEqual([
      [4104],
      'another connection of the same page took over',
    ])
    expect(bob.socket.ends).toEqual([])
    first.page.closed()
    const third = await enter('ann')
    expect([second.socket.ends, third.socket.ends]).toEqual([[4104], []])
    for (const mine of prefixesOf('ann')) send(third, frameOf(mine))
    expect([upstream.sent.length, pages.counts.pages]).toEqual([4, 2])
  })
})
