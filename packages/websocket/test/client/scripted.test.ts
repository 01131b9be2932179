import { getEventListeners } from 'node:events'
import { RivuletError } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { topicOf } from '../../../gateway/test/support/frames.ts'
import { HUB } from '../../../gateway/test/support/scene.ts'
import { CLOSE, encodeNumbered, encodeText, encodeTopical, KIND } from '../../src/base/protocol.ts'
import { transportFromUrls, type WebSocketOptions, websocket } from '../../src/index.ts'
import { type ScriptedSocket, scriptedSockets } from '../support/scripted-socket.ts'

const TOPIC = topicOf('positions') as never
const OTHER = topicOf('orders') as never
const PREFIXES = ['0123456789ab', 'ba9876543210']
const NEVER = new AbortController().signal

function host() {
  return { hub: HUB, receive: vi.fn(), watched: vi.fn(), down: vi.fn(), error: vi.fn(), left: vi.fn() }
}

function welcomeOf(said: object = {}) {
  const usual = { version: 1, maxFrameBytes: 5_000, ordered: true, prefixes: PREFIXES }
  return encodeText(KIND.welcome, JSON.stringify({ ...usual, ...said }))
}

/** A transport whose socket a test plays, before its first open. */
function scripted(options: Partial<WebSocketOptions> = {}) {
  vi.useFakeTimers()
  onTestFinished(() => {
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })
  const { WebSocket, sockets } = scriptedSockets()
  const transport = websocket({ url: 'ws://sync.example/rivulet', WebSocket, ...options })
  return { transport, sockets, told: host(), last: () => sockets.at(-1) as ScriptedSocket }
}

/** The same, and it is open: all of it ends with the test. */
async function opened(options?: Partial<WebSocketOptions>, said?: object) {
  const scene = scripted(options)
  onTestFinished(() => scene.last().ends())
  const opening = scene.transport.open(scene.told, NEVER)
  await vi.advanceTimersByTimeAsync(0)
  scene.last().opens()
  scene.last().hears(welcomeOf(said))
  await opening
  const socket = scene.last()
  socket.sent.length = 0
  return { ...scene, socket }
}

const numberOf = (socket: ScriptedSocket) => socket.sent.at(-1)?.id ?? 0
const kindsOf = (socket: ScriptedSocket) => socket.sent.map(({ kind }) => kind)
const textOf = (rest: Uint8Array | undefined) => new TextDecoder().decode(rest)
const messageOf = (cause: unknown) => (cause as Error).message

/** A topic that the server has confirmed. */
async function joined({ transport, socket }: Awaited<ReturnType<typeof opened>>, topic = TOPIC) {
  const joining = transport.join(topic, NEVER)
  socket.hears(encodeNumbered(KIND.joined, numberOf(socket)))
  await joining
  socket.sent.length = 0
}

test('progress of a server is told to a host that takes it, while the connection is up', async () => {
  const { transport, socket, told } = await opened()
  const hears = (text: string) => socket.hears(encodeText(KIND.progress, text))
  hears('{"congested":true}')
  const progress = vi.fn()
  Object.assign(told, { progress })
  for (const text of ['{"congested":true}', '{"congested":false}', 'nonsense']) hears(text)
  const closing = transport.close(AbortSignal.abort())
  hears('{"congested":true}')
  await closing
  expect(progress.mock.calls).toEqual([[true], [false], [false]])
  expect(told.down).not.toHaveBeenCalled()
})

describe('a welcome', () => {
  test.each([
    ['its version as a text', { version: '1' }],
    ['a limit that is a text', { maxFrameBytes: '5000' }],
    ['a limit of nothing', { maxFrameBytes: 0 }],
    ['a prefix that is a number', { prefixes: [123_456_789_012] }],
    ['one prefix of another form', { prefixes: [PREFIXES[0], 'fleet'] }],
    ['a prefix with more before it', { prefixes: [`x${PREFIXES[0]}`] }],
    ['a prefix with more behind it', { prefixes: [`${PREFIXES[0]}x`] }],
    ['its prefixes as a text', { prefixes: PREFIXES[0] }],
  ])('with %s is none', async (_, said) => {
    const { transport, told, last } = scripted()
    const opening = transport.open(told, NEVER)
    await vi.advanceTimersByTimeAsync(0)
    last().opens()
    last().hears(welcomeOf(said))
    await expect(opening).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(last().closes).toEqual([CLOSE.protocol])
    expect(told.down).not.toHaveBeenCalled()
  })

  test('of a limit beyond what a page sends leaves that', async () => {
    const { transport } = await opened({}, { maxFrameBytes: 1e9 })
    expect(transport.capabilities.maxFrameBytes(TOPIC)).toBe(262_144)
  })

  test('of the least limit is taken, and claims no order without saying so', async () => {
    const { transport } = await opened({}, { maxFrameBytes: 1, ordered: 'yes' })
    expect(transport.capabilities.maxFrameBytes(TOPIC)).toBe(1)
    expect(transport.capabilities.ordered).toBe(false)
  })
})

describe('before it is open', () => {
  test('nothing is sent, and joins and barriers are refused', async () => {
    const { transport, sockets, told } = scripted()
    const isNone = async () => {
      expect(transport.send(TOPIC, 'x')).toBe('offline')
      await expect(transport.join(TOPIC, NEVER)).rejects.toMatchObject({
        message: expect.stringContaining('not connected'),
      })
      await expect(transport.flush(NEVER)).rejects.toMatchObject({
        message: expect.stringContaining('not connected'),
      })
      transport.leave(TOPIC)
    }
    await isNone()
    await transport.close(NEVER)
    const opening = transport.open(told, NEVER)
    await isNone()
    await vi.advanceTimersByTimeAsync(0)
    const [socket] = sockets as [ScriptedSocket]
    expect(socket.binaryType).toBe('arraybuffer')
    socket.opens()
    await isNone()
    expect(kindsOf(socket)).toEqual([KIND.hello, KIND.leave])
    socket.hears(welcomeOf())
    await opening
    socket.ends()
    await isNone()
  })

  test('a signal that has aborted dials nothing', async () => {
    const { transport, sockets, told } = scripted({ token: () => expect.unreachable() })
    await expect(transport.open(told, AbortSignal.abort(new Error('out of time')))).rejects.toMatchObject({
      message: expect.stringContaining('out of time'),
    })
    expect(sockets).toEqual([])
  })

  test('a token that comes after the end dials nothing', async () => {
    let give = (_: string) => {}
    const token = () => new Promise<string>((resolve) => (give = resolve))
    const { transport, sockets, told } = scripted({ token })
    const giveUp = new AbortController()
    const opening = transport.open(told, giveUp.signal)
    giveUp.abort(new Error('out of time'))
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
    give('late')
    await vi.advanceTimersByTimeAsync(0)
    expect(sockets).toEqual([])
    await transport.close(NEVER)
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'an end %i microtasks after the token leaves no socket',
    async (microtasks) => {
      const { transport, sockets, told } = scripted({ token: () => 'the token' })
      const giveUp = new AbortController()
      const opening = transport.open(told, giveUp.signal)
      opening.catch(() => {})
      for (let n = 0; n < microtasks; n++) await undefined
      giveUp.abort(new Error('out of time'))
      await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
      expect(sockets.every(({ terminations }) => terminations === 1)).toBe(true)
    },
  )

  test.each([
    ['an empty token', '', 'it was empty; does the option check that the answer is `ok`?'],
    ['a number', 4711, 'it is a string, not a number'],
    ['nothing', undefined, 'it is a string, not undefined'],
    ['null', null, 'it is a string, not null'],
    ['an object', { token: 4711 }, 'it is a string, not an object'],
  ])('%s dials nothing and is no refusal for good: the next may be better', async (_, first, reason) => {
    const tokens = [first, 'the token']
    const { transport, sockets, told } = scripted({ token: async () => tokens.shift() as string })
    await expect(transport.open(told, NEVER)).rejects.toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: `The option "token" gave no token: ${reason}`,
    })
    expect(sockets).toEqual([])
    void transport.open(told, NEVER).catch(() => {})
    await vi.advanceTimersByTimeAsync(0)
    expect(sockets).toHaveLength(1)
  })

  test('a token that cannot be had says why, in the words of the one that gives it', async () => {
    const reasons: unknown[] = []
    const { transport, told } = scripted({ token: () => Promise.reject(reasons.pop()) })
    for (const reason of [new Error('the login is away'), 'the login is away']) {
      reasons.push(reason)
      await expect(transport.open(told, NEVER)).rejects.toMatchObject({
        code: 'TRANSPORT_UNAVAILABLE',
        message: 'The option "token" gave no token: the login is away',
        cause: reason,
      })
    }
    const final = new RivuletError('TRANSPORT_FAILED', 'The account is closed.')
    reasons.push(final)
    await expect(transport.open(told, NEVER)).rejects.toBe(final)
  })

  test('a welcome in a message of another kind is none', async () => {
    const { transport, last, told } = scripted()
    const opening = transport.open(told, NEVER)
    await vi.advanceTimersByTimeAsync(0)
    last().opens()
    const bytes = welcomeOf()
    bytes[0] = KIND.renewed
    last().hears(bytes)
    await expect(opening).rejects.toMatchObject({
      message: expect.stringContaining('does not speak this protocol'),
    })
  })

  test('it claims order, and cannot watch', async () => {
    const { transport } = scripted()
    expect(transport.capabilities.ordered).toBe(true)
    await expect(transport.watch(HUB, NEVER)).rejects.toMatchObject({
      message: expect.stringContaining(
        'A page cannot hear every stream of a hub; watch on a service, whose hub is on a broker or on the relay.',
      ),
    })
  })

  test.each([
    ['a reason', 1001, 'going away', 'TRANSPORT_UNAVAILABLE', 'The WebSocket ended: going away.'],
    ['a code alone', 1001, '', 'TRANSPORT_UNAVAILABLE', 'The WebSocket ended: closed with code 1001.'],
    ['nothing', 1006, '', 'TRANSPORT_UNAVAILABLE', 'The WebSocket ended: no connection.'],
    ['a final code', 4400, '', 'TRANSPORT_FAILED', 'The server refuses the page: code 4400.'],
    ['the last final code', 4499, 'no', 'TRANSPORT_FAILED', 'The server refuses the page: no.'],
    ['a code beyond those', 4500, '', 'TRANSPORT_UNAVAILABLE', 'The WebSocket ended: closed with code 4500.'],
  ])('the server ends it with %s', async (_, code, reason, name, message) => {
    const { transport, last, told } = scripted()
    const opening = transport.open(told, NEVER)
    await vi.advanceTimersByTimeAsync(0)
    last().ends(code, reason)
    await expect(opening).rejects.toMatchObject({ code: name, message })
    expect(told.down).not.toHaveBeenCalled()
  })

  test('a URL that answers is kept, and the next one is taken after each that does not', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { WebSocket, sockets } = scriptedSockets()
    vi.stubGlobal('WebSocket', WebSocket)
    onTestFinished(() => void vi.unstubAllGlobals())
    const transport = transportFromUrls(['ws://a.example/', 'ws://b.example/', 'ws://c.example/'])
    for (const isThere of [false, true, true, false, false, true]) {
      const opening = transport.open(host(), NEVER)
      await vi.advanceTimersByTimeAsync(0)
      const socket = sockets.at(-1) as ScriptedSocket
      if (isThere) {
        socket.opens()
        socket.hears(welcomeOf())
        await opening
        socket.ends()
      } else {
        socket.ends()
        await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('no connection') })
      }
    }
    const dialled = sockets.map(({ url }) => url.charAt(5))
    expect(dialled).toEqual(['a', 'b', 'b', 'b', 'c', 'a'])
  })
})

describe('while it is open', () => {
  test('the signal of the open has no power any more', async () => {
    const { transport, told, last } = scripted()
    const giveUp = new AbortController()
    const opening = transport.open(told, giveUp.signal)
    await vi.advanceTimersByTimeAsync(0)
    last().opens()
    last().hears(welcomeOf())
    await opening
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([])
    giveUp.abort()
    expect(transport.send(TOPIC, 'x')).toBe('sent')
    last().ends()
    expect(told.down).toHaveBeenCalledTimes(1)
  })

  test('a frame that is a text is measured in bytes', async () => {
    const { transport, socket } = await opened()
    expect(transport.send(TOPIC, 'é'.repeat(2_501))).toBe('offline')
    expect(transport.send(TOPIC, 'é'.repeat(2_500))).toBe('sent')
    expect(socket.sent).toMatchObject([{ kind: KIND.frame, topic: TOPIC }])
    expect(textOf(socket.sent[0]?.rest)).toBe('é'.repeat(2_500))
  })

  test('what waits in the socket counts to the byte', async () => {
    const { transport, socket } = await opened({ maxBufferedBytes: 1_024 })
    socket.bufferedAmount = 1_000
    expect(transport.send(TOPIC, new Uint8Array(25))).toBe('offline')
    expect(transport.send(TOPIC, new Uint8Array(24))).toBe('sent')
  })

  test('a socket that takes nothing makes a frame offline', async () => {
    const { transport, socket } = await opened()
    socket.readyState = 2
    expect(transport.send(TOPIC, 'x')).toBe('offline')
    socket.readyState = 1
    socket.isBroken = true
    expect(transport.send(TOPIC, 'x')).toBe('offline')
    expect(socket.sent).toEqual([])
  })

  test('a join that is given up leaves the topic, and its late answer joins nothing', async () => {
    const { transport, socket, told } = await opened()
    const giveUp = new AbortController()
    const joining = transport.join(TOPIC, giveUp.signal)
    const id = numberOf(socket)
    giveUp.abort(new Error('out of time'))
    await expect(joining).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
    expect(kindsOf(socket)).toEqual([KIND.join, KIND.leave])
    socket.hears(encodeNumbered(KIND.joined, id))
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'x'))
    expect(told.receive).not.toHaveBeenCalled()
    await expect(transport.join(TOPIC, AbortSignal.abort(new Error('too late')))).rejects.toMatchObject({
      message: expect.stringContaining('too late'),
    })
    expect(kindsOf(socket)).toEqual([KIND.join, KIND.leave, KIND.leave])
  })

  test('a join that is refused leaves nothing', async () => {
    const { transport, socket } = await opened()
    const { signal } = new AbortController()
    const joining = transport.join(TOPIC, signal)
    socket.hears(encodeNumbered(KIND.refused, numberOf(socket), 'no permission'))
    await expect(joining).rejects.toMatchObject({ message: expect.stringContaining('no permission') })
    expect(kindsOf(socket)).toEqual([KIND.join])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('a topic that is left takes its own join with it, and no other', async () => {
    const { transport, socket } = await opened()
    const [left, kept, barrier] = [
      transport.join(TOPIC, NEVER),
      transport.join(OTHER, NEVER),
      transport.flush(NEVER),
    ]
    const ids = socket.sent.map(({ id }) => id)
    expect(new Set(ids).size).toBe(3)
    transport.leave(TOPIC)
    await expect(left).rejects.toMatchObject({
      message: expect.stringContaining('left before the join was confirmed'),
    })
    socket.hears(encodeNumbered(KIND.joined, ids[1] as number))
    socket.hears(encodeNumbered(KIND.barrier, ids[2] as number))
    await Promise.all([kept, barrier])
    expect(socket.sent.at(-1)).toMatchObject({ kind: KIND.leave, topic: TOPIC })
  })

  test('answers without a question are ignored', async () => {
    const { socket, told } = await opened()
    for (const kind of [KIND.joined, KIND.refused, KIND.barrier]) socket.hears(encodeNumbered(kind, 99, 'x'))
    expect(socket.closes).toEqual([])
    expect(told.down).not.toHaveBeenCalled()
  })

  test('frames of joined topics are handed on, until the topic is left', async () => {
    const scene = await opened()
    const { transport, socket, told } = scene
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'before'))
    await joined(scene)
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'joined'))
    socket.hears(encodeTopical(KIND.frame, OTHER, 'other'))
    transport.leave(TOPIC)
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'after'))
    expect(told.receive.mock.calls.map(([topic, frame]) => [topic, textOf(frame)])).toEqual([
      [TOPIC, 'joined'],
    ])
  })

  test('a frame that the host throws at is told', async () => {
    const scene = await opened()
    const { socket, told } = scene
    await joined(scene)
    told.receive.mockImplementation(() => {
      throw new Error('broken')
    })
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'x'))
    expect(told.error.mock.calls).toMatchObject([
      [
        TOPIC,
        { code: 'TRANSPORT_FAILED', message: 'A frame was not taken: broken', cause: new Error('broken') },
      ],
    ])
    expect(told.down).not.toHaveBeenCalled()
  })

  test('a topic that the server ends is told once, and only when it was joined', async () => {
    const scene = await opened()
    const { socket, told } = scene
    socket.hears(encodeTopical(KIND.left, TOPIC, 'gone'))
    expect(told.left).not.toHaveBeenCalled()
    await joined(scene)
    for (let n = 0; n < 2; n++) socket.hears(encodeTopical(KIND.left, TOPIC, 'gone'))
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'x'))
    expect(told.left.mock.calls).toEqual([[TOPIC, new Error('gone')]])
    expect(told.receive).not.toHaveBeenCalled()
  })

  test('faults are told, of a topic or of none; a reason that is no text is left out', async () => {
    const { socket, told } = await opened()
    socket.hears(encodeTopical(KIND.fault, TOPIC, 'no permission'))
    socket.hears(encodeTopical(KIND.fault, '', new Uint8Array([0xff])))
    expect(told.error.mock.calls.map(([topic, error]) => [topic, messageOf(error)])).toEqual([
      [TOPIC, 'no permission'],
      [undefined, ''],
    ])
  })

  test('pings are answered, and keep the connection', async () => {
    const { socket, told } = await opened()
    for (let n = 0; n < 3; n++) {
      await vi.advanceTimersByTimeAsync(5_999)
      socket.hears(encodeText(KIND.ping))
    }
    expect(kindsOf(socket)).toEqual([KIND.pong, KIND.pong, KIND.pong])
    await vi.advanceTimersByTimeAsync(6_001)
    expect(told.down.mock.calls).toMatchObject([
      [{ message: 'The WebSocket ended: the server was silent for 6 seconds.' }],
    ])
    expect(socket.terminations).toBe(1)
    socket.hears(encodeText(KIND.ping))
    expect(kindsOf(socket)).toEqual([KIND.pong, KIND.pong, KIND.pong])
  })

  test('what comes after six seconds of silence was held back on the way', async () => {
    const scene = await opened()
    const { socket, told } = scene
    await joined(scene)
    await vi.advanceTimersByTimeAsync(6_000)
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'x'))
    expect(told.down.mock.calls).toMatchObject([[{ message: 'The WebSocket ended: the page stood still.' }]])
    expect(told.receive).not.toHaveBeenCalled()
  })

  test('what makes no sense ends it, and nothing is taken or answered any more', async () => {
    const { socket, told } = await opened()
    socket.hears(encodeText(KIND.hello))
    expect(socket.closes).toEqual([CLOSE.protocol])
    socket.hears(encodeText(KIND.ping))
    expect(socket.sent).toEqual([])
    expect(told.down.mock.calls).toMatchObject([[{ code: 'TRANSPORT_FAILED' }]])
  })

  test('its end is told once, with its cause, and to all that wait', async () => {
    const { transport, socket, told } = await opened()
    const waiting = [transport.join(TOPIC, NEVER), transport.flush(NEVER)]
    socket.ends(1001, 'going away')
    socket.ends()
    socket.onerror?.({ message: 'broken' })
    socket.hears(encodeText(KIND.hello))
    const settled = await Promise.allSettled(waiting)
    for (const one of settled) {
      expect(one).toMatchObject({ reason: { message: 'The WebSocket ended: going away.' } })
    }
    expect(told.down.mock.calls).toMatchObject([[{ message: 'The WebSocket ended: going away.' }]])
    expect(told.error).not.toHaveBeenCalled()
    expect(socket.closes).toEqual([])
  })
})

describe('a token', () => {
  test('that is new is sent; that there is none is told, and asked for again', async () => {
    const tokens = ['first', new Error('the login is away'), 'second', 'third']
    const token = () => {
      const next = tokens.shift() as string | Error
      if (next instanceof Error) throw next
      return next
    }
    const { socket, told } = await opened({ token }, { expiresInMs: 31_000 })
    const pass = async (waitMs: number) => {
      for (let ms = 0; ms < waitMs; ms += 500) {
        await vi.advanceTimersByTimeAsync(500)
        socket.hears(encodeNumbered(KIND.barrier, 0))
      }
    }
    await pass(15_000)
    expect(tokens.length).toBe(3)
    await pass(500)
    expect(told.error.mock.calls.map(([topic, error]) => [topic, messageOf(error)])).toEqual([
      [undefined, 'No new token: The option "token" gave no token: the login is away'],
    ])
    expect(socket.sent).toEqual([])
    await pass(5_000)
    expect(socket.sent.map(({ kind, rest }) => [kind, textOf(rest)])).toEqual([[KIND.token, 'second']])
    socket.hears(encodeText(KIND.renewed, 'x'))
    socket.hears(encodeText(KIND.renewed, '{"expiresInMs":1000}'))
    await pass(500)
    expect(socket.sent.map(({ rest }) => textOf(rest))).toEqual(['second', 'third'])
    expect(told.down).not.toHaveBeenCalled()
  })
})

describe('a close', () => {
  test('hands over what was sent, and waits for the socket', async () => {
    const scene = await opened()
    const { transport, socket, told } = scene
    await joined(scene)
    let isClosed = false
    const closing = transport.close(NEVER).then(() => {
      isClosed = true
    })
    expect(kindsOf(socket)).toEqual([KIND.barrier])
    expect(transport.send(TOPIC, 'x')).toBe('offline')
    await expect(transport.join(OTHER, NEVER)).rejects.toMatchObject({
      message: expect.stringContaining('not connected'),
    })
    await expect(transport.flush(NEVER)).rejects.toMatchObject({
      message: expect.stringContaining('not connected'),
    })
    socket.hears(encodeTopical(KIND.frame, TOPIC, 'x'))
    socket.hears(encodeTopical(KIND.fault, TOPIC, 'x'))
    socket.hears(encodeTopical(KIND.left, TOPIC, 'x'))
    await vi.advanceTimersByTimeAsync(0)
    expect(socket.closes).toEqual([])
    socket.hears(encodeNumbered(KIND.barrier, numberOf(socket)))
    await vi.advanceTimersByTimeAsync(0)
    expect([socket.closes, socket.terminations, isClosed]).toEqual([[1000], 0, false])
    socket.ends(1000)
    await closing
    expect(socket.terminations).toBe(1)
    for (const call of [told.receive, told.error, told.left, told.down]) expect(call).not.toHaveBeenCalled()
  })

  test.each([
    ['at the barrier', false],
    ['at the socket', true],
  ])('is cut short by its signal, %s', async (_, isSettled) => {
    const { transport, socket } = await opened()
    const giveUp = new AbortController()
    const closing = transport.close(giveUp.signal)
    if (isSettled) socket.hears(encodeNumbered(KIND.barrier, numberOf(socket)))
    await vi.advanceTimersByTimeAsync(0)
    expect(socket.terminations).toBe(0)
    giveUp.abort()
    await closing
    expect([socket.closes, socket.terminations]).toEqual([[1000], 1])
  })

  test('is not cut short by another one that waits too, but by one that does not', async () => {
    const { transport, socket } = await opened()
    const joining = transport.join(TOPIC, NEVER)
    const closing = Promise.all([transport.close(NEVER), transport.close(NEVER)])
    joining.catch(() => {})
    await vi.advanceTimersByTimeAsync(0)
    expect(socket.closes).toEqual([])
    await transport.close(AbortSignal.abort())
    expect([socket.closes, socket.terminations]).toEqual([[1000], 1])
    await expect(joining).rejects.toMatchObject({ message: expect.stringContaining('closed') })
    socket.ends()
    await closing
  })

  test('asks no barrier of a connection that has ended', async () => {
    const { transport, socket } = await opened()
    socket.ends()
    await transport.close(NEVER)
    expect(socket.sent).toEqual([])
  })
})
