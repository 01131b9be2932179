import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { encodeMessage } from '../src/frame.ts'
import { Message, sidOf } from '../src/message.ts'
import { expectLawful, openScene, type Scene, STRANGER, tick, wire } from './support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const free = { limit: false } as const
const bytes = (text: string) => new TextEncoder().encode(text)

/** Asserts that a frame was counted in one bucket, delivered nothing, and broke nothing. */
function expectDropped(scene: Scene, bucket: keyof Scene['ledger']['dropped'], count = 1): void {
  const { ledger } = scene
  expect(ledger.dropped).toEqual({ ...NONE, [bucket]: count })
  expect(ledger.received).toBe(count)
  expect(scene.heard).toEqual([])
  expect(scene.errors).toEqual([])
  expectLawful(ledger)
  scene.receive({ data: { still: 'alive' } })
  expect(scene.data).toEqual([{ still: 'alive' }])
}

const NONE = {
  ...{ malformed: 0, tooLarge: 0, echo: 0, duplicate: 0, stale: 0, schema: 0, rateLimited: 0, notJoined: 0 },
}

describe('a message from another process', () => {
  test('is delivered frozen all the way down, with its sid, as not local', async () => {
    const { receive, heard, ledger } = await openScene()
    receive(wire(7, 0, STRANGER, { a: [{ b: null }] }))
    expect(JSON.parse(JSON.stringify(heard))).toEqual([
      { sid: sidOf(STRANGER, 7), data: { a: [{ b: null }] } },
    ])
    const [message] = heard as [Message<{ a: object[] }>]
    expect(message.isLocal).toBe(false)
    for (const part of [message, message.data, message.data.a, message.data.a[0]])
      expect(Object.isFrozen(part)).toBe(true)
    expectLawful(ledger)
  })

  test('is taken as text as well as bytes', async () => {
    const scene = await openScene()
    scene.receive(bytes('{"data":{"n":1}}'))
    scene.receive('{"data":{"n":2}}')
    expect(scene.data).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('may lie in bytes that are used again afterwards', async () => {
    const scene = await openScene()
    const frame = bytes('{"data":{"n":1}}')
    scene.receive(frame)
    frame.fill(0)
    expect(scene.data).toEqual([{ n: 1 }])
  })

  // RELIABILITY 67
  test('of a foreign client without sid and t gets a sid of its own, a different one each time', async () => {
    const { receive, heard, stream } = await openScene()
    receive('{"data":{"celsius":21}}')
    receive('{"data":{"celsius":21}, "sensor": {"id": 4}}')
    expect(heard.map(({ data }) => data)).toEqual([{ celsius: 21 }, { celsius: 21 }])
    expect(heard.map(({ isLocal }) => isLocal)).toEqual([false, false])
    const [first, second] = heard.map(({ sid }) => sid) as [string, string]
    expect(first).toMatch(/^TZ[0-9a-f]{32}$/)
    expect(second.slice(0, 18)).toBe(first.slice(0, 18))
    expect(second).not.toBe(first)
    expect(stream.ledger()).toMatchObject({ delivered: 2, missed: 0, reordered: 0 })
  })

  test('of a foreign client can have no age, so none is judged', async () => {
    const { receive, heard } = await openScene(free)
    receive('{"data":{},"t":0}')
    await vi.advanceTimersByTimeAsync(3_600_000)
    receive('{"data":{},"t":0}')
    expect(heard).toHaveLength(2)
  })
})

describe('a frame is dropped and counted malformed', () => {
  // RELIABILITY 57, 58, 59, 65, 67
  test.each([
    ['no JSON', '{"data":'],
    ['empty', ''],
    ['a BOM in front', '\ufeff{"data":{}}'],
    ['not UTF-8', Uint8Array.from([...bytes('{"data":{"a":"'), 0xff, ...bytes('"}}')])],
    ['a bare string', '"data"'],
    ['no object as data', '{"data":[1]}'],
    ['a sid of the wrong form', '{"data":{},"sid":"TZ12"}'],
    ['a forged number of 2⁵³', `{"data":{},"sid":"TZ${STRANGER}0020000000000000"}`],
    ['a forged t', `{"data":{},"sid":"${sidOf(STRANGER, 1)}","t":1e400}`],
    ['a removal without a sid', '{"removed":true}'],
    ['a key __proto__', '{"data":{"__proto__":{"admin":true}}}'],
    ['a key __proto__ spelled with an escape', '{"data":{"a":[{"\\u005f_proto__":1}]}}'],
    ['a constructor that holds a prototype', '{"data":{"constructor":{"prototype":{"admin":true}}}}'],
    ['a number beyond a double', '{"data":{"a":[1e400]}}'],
    ['100 000 levels', '{"data":'.repeat(100_000)],
    ['101 levels of data', `{"data":${'{"a":'.repeat(100)}{}${'}'.repeat(100)}}`],
    ['101 levels of data in an array', `[{"data":${'{"a":'.repeat(100)}{}${'}'.repeat(100)}}]`],
    ['an array of none', '[]'],
    ['an array of 65', `[${Array(65).fill('{"data":{}}').join()}]`],
    ['an array of 100 000', `[${Array(20_000).fill('{}').join()}]`],
  ])('with %s', async (_, frame) => {
    const scene = await openScene()
    scene.receive(frame)
    expectDropped(scene, 'malformed')
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test('once, when it has more than 64 messages, and each of 64 otherwise', async () => {
    const scene = await openScene(free)
    scene.receive(Array.from({ length: 64 }, (_, nth) => wire(nth + 1)))
    expect(scene.ledger).toMatchObject({ received: 64, delivered: 64 })
    scene.receive(Array.from({ length: 65 }, (_, nth) => wire(nth + 65)))
    expect(scene.ledger).toMatchObject({ received: 65, delivered: 64, dropped: { malformed: 1 } })
  })

  // RELIABILITY 56
  test('once and unparsed, when it is over 64 times the largest message with its envelope', async () => {
    const scene = await openScene({ ...free, maxBytes: 100 })
    const most = 64 * (100 + 128)
    const parse = vi.spyOn(JSON, 'parse')
    scene.receive(`{"data":{}}${' '.repeat(most - 11)}`)
    expect(parse).toHaveBeenCalledTimes(1)
    scene.receive(`{"data":{}}${' '.repeat(most - 10)}`)
    scene.receive(bytes(`{"data":{}}${' '.repeat(most - 10)}`))
    scene.receive(`{"data":{}}${'é'.repeat((most - 10) / 2)}`)
    expect(parse).toHaveBeenCalledTimes(1)
    parse.mockRestore()
    expect(scene.ledger).toMatchObject({ received: 4, delivered: 1, dropped: { malformed: 3 } })
  })

  test('and unparsed when it nests too deep: the nesting is scanned before', async () => {
    const scene = await openScene(free)
    const parse = vi.spyOn(JSON, 'parse')
    scene.receive(`[${wireText(1)},{"data":{"a":${'['.repeat(101)}${']'.repeat(101)}}}]`)
    scene.receive('['.repeat(4_000))
    const deep = `{"a":${'['.repeat(101)}${']'.repeat(101)}}`
    scene.receive(wireText(2).replace('{"n":2}', deep)) // as the core writes it, where only the data is parsed
    expect(parse.mock.calls.filter(([text]) => text.includes('[[['))).toEqual([])
    parse.mockRestore()
    expect(scene.ledger).toMatchObject({ received: 3, dropped: { ...NONE, malformed: 3 } })
  })

  const wireText = (number: number) => JSON.stringify(wire(number, 0))

  test('message by message: the good ones beside a malformed one are delivered', async () => {
    const scene = await openScene()
    scene.receive(`[{"data":{"n":1}},{"data":{"n":1e999}},null,{"sid":1,"data":{}},{"data":{"n":2}}]`)
    expect(scene.data).toEqual([{ n: 1 }, { n: 2 }])
    expect(scene.ledger).toMatchObject({ received: 5, delivered: 2, dropped: { ...NONE, malformed: 3 } })
  })

  // RELIABILITY 73
  test('when its number jumps over 65 536, and the origin is not muted by it', async () => {
    const scene = await openScene(free)
    scene.receive(wire(1, 0))
    scene.receive(wire(2 ** 53 - 1, 0))
    scene.receive(wire(2, 0))
    expect(scene.data).toEqual([{ n: 1 }, { n: 2 }])
    expect(scene.ledger).toMatchObject({ missed: 0, dropped: { malformed: 1 } })
  })

  test('when its t is forged more than a minute ahead, and nothing is learned of it', async () => {
    const scene = await openScene(free)
    scene.receive(wire(1, 0))
    scene.receive(wire(2, 1e12))
    scene.receive(wire(3, 0))
    expect(scene.data).toEqual([{ n: 1 }, { n: 3 }])
    expect(scene.ledger).toMatchObject({ missed: 1, dropped: { malformed: 1 } })
  })
})

describe('data', () => {
  test('over the limit is counted tooLarge, in UTF-8 bytes, and those beside it are delivered', async () => {
    const scene = await openScene({ ...free, maxBytes: 4096 })
    const exact = { a: 'é'.repeat(2_044) } // {"a":""} and 4088 bytes
    scene.receive([{ data: exact }, { data: { a: `${exact.a}x` } }, { data: {} }])
    expect(scene.data).toEqual([exact, {}])
    expect(scene.ledger).toMatchObject({ received: 3, delivered: 2, dropped: { ...NONE, tooLarge: 1 } })
  })

  test('that fails the schema is counted schema; what passes is delivered as its output', async () => {
    const schema = z.object({ at: z.iso.datetime().transform((text) => new Date(text)) })
    const scene = await openScene({ schema })
    scene.receive([{ data: { at: 'soon' } }, { data: { at: '2024-01-01T00:00:00Z', extra: 1 } }])
    expect(scene.data).toEqual([{ at: new Date('2024-01-01T00:00:00Z') }])
    expect(scene.ledger).toMatchObject({ received: 2, delivered: 1, dropped: { ...NONE, schema: 1 } })
  })

  test('whose validator throws is counted schema, and nobody sees the throw', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          if ((value as { bad?: boolean }).bad) throw new Error('validator')
          return { value }
        },
      },
    }
    const scene = await openScene({ schema })
    scene.receive({ data: { bad: true } })
    expectDropped(scene, 'schema')
  })

  // RELIABILITY 66
  test('is counted malformed where it must be measured, and nothing throws, when Object.prototype is polluted', async () => {
    const scene = await openScene()
    const prototype = Object.prototype as { toJSON?: unknown }
    prototype.toJSON = () => undefined
    try {
      scene.receive(`{"data":{"text":"${'x'.repeat(1000)}"}}`)
    } finally {
      delete prototype.toJSON
    }
    expectDropped(scene, 'malformed')
  })

  test('keeps the last of two equal keys, and is otherwise what JSON.parse makes of it', async () => {
    const scene = await openScene()
    scene.receive('{"data":{"a":1,"a":2,"big":18446744073709551616,"s":"\\ud800"}}')
    expect(scene.data).toEqual([{ a: 2, big: 2 ** 64, s: '\ud800' }])
  })
})

describe('an own message that comes back', () => {
  /** Publishes, and gives back what went out. */
  async function publishOne(scene: Scene): Promise<string> {
    scene.stream.publish({ mine: true })
    await tick()
    scene.heard.length = 0
    return scene.transport.sent.at(-1)?.text as string
  }

  // RELIABILITY 21
  test('is counted as echo and not delivered again', async () => {
    const scene = await openScene()
    const echo = await publishOne(scene)
    scene.receive(echo)
    expectDropped(scene, 'echo')
  })

  test('is recognized from its canonical tail before it is charged, in an array too', async () => {
    const scene = await openScene()
    await publishOne(scene)
    for (const n of [1, 2]) scene.stream.publish({ n })
    await tick()
    scene.heard.length = 0
    const parse = vi.spyOn(JSON, 'parse')
    const { available } = scene.stream.budget()
    for (let count = 0; count < 1_000; count++) {
      for (const { text } of scene.transport.sent) scene.receive(text)
    }
    expect(parse).not.toHaveBeenCalled()
    parse.mockRestore()
    expect(scene.stream.budget().available).toBe(available)
    expectDropped(scene, 'echo', 2_000)
  })

  test('is recognized in any other spelling, after decoding', async () => {
    const scene = await openScene()
    const echo = JSON.parse(await publishOne(scene))
    scene.receive(`{"t":${echo.t}, "sid":"${echo.sid}", "data":{}} `)
    expectDropped(scene, 'echo')
  })

  test('is no echo when its origin only looks alike', async () => {
    const scene = await openScene()
    const echo = JSON.parse(await publishOne(scene))
    const digit = echo.sid[10] === '0' ? '1' : '0'
    scene.receive({ ...echo, sid: `${echo.sid.slice(0, 10)}${digit}${echo.sid.slice(11)}` })
    expect(scene.ledger).toMatchObject({ received: 1, delivered: 1, dropped: NONE })
  })

  test('is an echo also of a stream closed since, until maxAgeMs is over', async () => {
    const scene = await openScene()
    const echo = await publishOne(scene)
    scene.stream.close()
    const again = scene.hub.stream('scene')
    const heard: unknown[] = []
    await again.subscribe(({ data }) => heard.push(data)).ready
    scene.receive(echo)
    await vi.advanceTimersByTimeAsync(4_999)
    scene.receive(echo)
    expect(again.ledger()).toMatchObject({ received: 2, delivered: 0, dropped: { ...NONE, echo: 2 } })
    await vi.advanceTimersByTimeAsync(1)
    scene.receive(echo)
    expect(again.ledger()).toMatchObject({ received: 3, delivered: 1 })
  })

  test('that ended the stream does not end the next one', async () => {
    const scene = await openScene()
    await publishOne(scene)
    scene.stream.remove()
    await tick()
    const removal = scene.transport.sent.at(-1)?.text as string
    expect(removal).toMatch(/^\{"removed":true/)
    const again = scene.hub.stream('scene')
    await again.subscribe(() => {}).ready
    scene.receive(removal)
    expect(again.closed).toBe(false)
    expect(again.ledger()).toMatchObject({ received: 0 })
  })
})

describe('a repeated message', () => {
  // RELIABILITY 24
  test('is delivered once and counted duplicate, whoever repeats it and how often', async () => {
    const scene = await openScene()
    for (let count = 0; count < 4; count++) scene.receive(wire(1, 0))
    expect(scene.heard).toHaveLength(1)
    expect(scene.ledger).toMatchObject({ received: 4, delivered: 1, dropped: { ...NONE, duplicate: 3 } })
  })

  test('takes no room from the stream', async () => {
    const scene = await openScene()
    scene.receive(wire(1, 0))
    const { available } = scene.stream.budget()
    for (let count = 0; count < 20; count++) scene.receive(wire(1, 0))
    expect(scene.stream.budget().available).toBe(available)
  })

  test('is known again after its schema refused it, its data was bad, or there was no room', async () => {
    const schema = z.object({ n: z.number() })
    const scene = await openScene({ schema, limit: { ratePerSecond: 1_000, burst: 1 } })
    scene.receive(wire(1, 0, STRANGER, { n: 'x' }))
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive([wire(2, 0), wire(3, 0)])
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive([wire(1, 0), wire(3, 0)])
    expect(scene.ledger.dropped).toEqual({ ...NONE, schema: 1, rateLimited: 1, duplicate: 2 })
    expect(scene.data).toEqual([{ n: 2 }])
  })

  test('out of order within the window is delivered, and counted reordered', async () => {
    const scene = await openScene()
    for (const number of [2, 4, 3, 1]) scene.receive(wire(number, 0))
    expect(scene.data).toEqual([2, 4, 3, 1].map((n) => ({ n })))
    expect(scene.ledger).toMatchObject({ delivered: 4, reordered: 2, missed: 0 })
  })
})

describe('missed', () => {
  test('includes messages of frames that were dropped undecoded', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1_000, burst: 1 } })
    scene.receive(wire(1, 0))
    scene.receive([wire(2, 0), wire(3, 0), wire(4, 0)])
    expect(scene.ledger).toMatchObject({ received: 2, dropped: { ...NONE, rateLimited: 1 }, missed: 0 })
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive(wire(5, 1_000))
    expect(scene.ledger).toMatchObject({ delivered: 2, missed: 3 })
  })

  test('includes what a refused removal shows to be missing', async () => {
    const scene = await openScene({}, { acceptRemoval: false })
    scene.receive(wire(1, 0))
    scene.receive({ removed: true, sid: sidOf(STRANGER, 4) })
    expect(scene.ledger.missed).toBe(2)
    scene.receive(wire(5, 0))
    expect(scene.ledger.missed).toBe(2)
  })
})

describe('a stale message', () => {
  test('is dropped and counted, and one that is fresh is not', async () => {
    const scene = await openScene(free)
    scene.receive(wire(1, 0))
    await vi.advanceTimersByTimeAsync(10_000)
    scene.receive([wire(2, 4_999), wire(3, 5_000)])
    expect(scene.data).toEqual([{ n: 1 }, { n: 3 }])
    expect(scene.ledger).toMatchObject({
      received: 3,
      delivered: 2,
      missed: 0,
      dropped: { ...NONE, stale: 1 },
    })
  })

  test('is judged by the stream’s own limit, and by none when that is false', async () => {
    const strict = await openScene({ ...free, maxAgeMs: 100 })
    const lax = await openScene({ ...free, maxAgeMs: false })
    for (const { receive } of [strict, lax]) receive(wire(1, 0))
    await vi.advanceTimersByTimeAsync(60_000)
    for (const { receive } of [strict, lax]) receive(wire(2, 0))
    expect(strict.data).toEqual([{ n: 1 }])
    expect(lax.data).toEqual([{ n: 1 }, { n: 2 }])
  })

  // RELIABILITY 5
  test('is told without synchronized clocks: the offset does not matter', async () => {
    const scene = await openScene(free)
    scene.receive(wire(1, 3_600_000_000))
    await vi.advanceTimersByTimeAsync(10_000)
    scene.receive([wire(2, 3_600_000_000), wire(3, 3_600_010_000)])
    expect(scene.data).toEqual([{ n: 1 }, { n: 3 }])
  })

  test('of an origin that was never heard is dropped while a barrier is overdue by the age limit', async () => {
    const scene = await openScene({ ...free, maxAgeMs: 1_000 })
    scene.transport.answers.flush = 'hang'
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(1)
    scene.heard.length = 0
    await vi.advanceTimersByTimeAsync(998)
    scene.receive([wire(1, 0, 'a'.repeat(16)), { data: { foreign: 1 } }])
    await vi.advanceTimersByTimeAsync(1)
    scene.receive([wire(1, 0, 'b'.repeat(16)), { data: { foreign: 2 } }])
    expect(scene.data).toEqual([{ n: 1 }, { foreign: 1 }])
    expect(scene.ledger.dropped).toEqual({ ...NONE, stale: 2 })
    scene.transport.flushes.at(-1)?.resolve()
    await tick()
    scene.receive([wire(1, 0, 'c'.repeat(16)), { data: { foreign: 3 } }])
    expect(scene.data.slice(2)).toEqual([{ n: 1 }, { foreign: 3 }])
  })
})

describe('a barrier is overdue', () => {
  test('since the first one that was not answered began, missed ones included', async () => {
    const scene = await openScene({ ...free, maxAgeMs: 3_000 })
    await vi.advanceTimersByTimeAsync(100_000)
    scene.transport.answers.flush = 'hang'
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(1)
    scene.heard.length = 0
    await vi.advanceTimersByTimeAsync(2_900) // the first is missed, the second runs
    scene.receive({ data: { foreign: 1 } })
    await vi.advanceTimersByTimeAsync(100)
    scene.receive({ data: { foreign: 2 } })
    expect(scene.data).toEqual([{ foreign: 1 }])
    expect(scene.ledger.dropped).toEqual({ ...NONE, stale: 1 })
  })
})

describe('the limit', () => {
  // RELIABILITY 72
  test('keeps every subscriber within burst + rate × T, whatever the peers send', async () => {
    const scene = await openScene()
    const heardAt: number[] = []
    scene.stream.subscribe(() => heardAt.push(performance.now()))
    for (let number = 1; number <= 5_000; number++) {
      scene.receive(wire(number, undefined, number % 2 ? STRANGER : 'a'.repeat(16)))
      if (number % 5 === 0) await vi.advanceTimersByTimeAsync(1)
    }
    for (const [nth, atMs] of heardAt.entries()) {
      const inSecond = heardAt.slice(nth).filter((other) => other - atMs < 1_000).length
      expect(inSecond).toBeLessThanOrEqual(30 + 30)
    }
    expect(heardAt.length).toBeGreaterThanOrEqual(22 + 29)
    expectLawful(scene.ledger)
  })

  test('drops what comes faster undecoded, as one received and one rateLimited a frame', async () => {
    const scene = await openScene()
    for (let number = 1; number <= 22; number++) scene.receive(wire(number))
    const parse = vi.spyOn(JSON, 'parse')
    for (let number = 23; number < 20_023; number++) scene.receive([wire(number), wire(number)])
    expect(parse).not.toHaveBeenCalled()
    parse.mockRestore()
    expect(scene.ledger).toMatchObject({
      received: 20_022,
      delivered: 22,
      dropped: { ...NONE, rateLimited: 20_000 },
    })
  })

  test('takes room for each message of a frame, and counts those that find none', async () => {
    const scene = await openScene()
    scene.receive(Array.from({ length: 30 }, (_, nth) => wire(nth + 1)))
    expect(scene.ledger).toMatchObject({ received: 30, delivered: 22, dropped: { ...NONE, rateLimited: 8 } })
  })

  test.each([
    [1, 1],
    [2, 1],
    [4, 3],
    [8, 6],
    [30, 22],
  ])(
    'of burst %i is filled by others up to %i, so that they cannot shut out local publishing',
    async (burst, remote) => {
      const scene = await openScene({ limit: { ratePerSecond: 1, burst } })
      for (let number = 1; number <= 100; number++) scene.receive(wire(number))
      expect(scene.ledger.delivered).toBe(remote)
      expect(scene.stream.budget().available).toBe(burst - remote)
      for (let count = 0; count < burst - remote; count++) scene.stream.publish({})
      expect(scene.stream.tryPublish({})).toMatchObject({ ok: false, code: 'RATE_LIMITED' })
    },
  )

  test('is filled by what this process publishes too, against the others', async () => {
    const scene = await openScene()
    for (let count = 0; count < 22; count++) scene.stream.publish({})
    scene.heard.length = 0
    scene.receive(wire(1))
    expectDroppedRateLimited(scene)
  })

  test('of scope process does not bind what others send', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1, burst: 1, scope: 'process' } })
    for (let number = 1; number <= 100; number++) scene.receive(wire(number))
    for (let number = 1; number <= 100; number++) scene.receive('junk')
    expect(scene.ledger).toMatchObject({ delivered: 100, dropped: { ...NONE, malformed: 100 } })
    expect(scene.stream.budget().available).toBe(1)
  })

  test('set to false binds nothing', async () => {
    const scene = await openScene(free)
    for (let number = 1; number <= 1_000; number++) scene.receive(wire(number))
    for (let number = 1; number <= 1_000; number++) scene.receive('junk')
    expect(scene.ledger).toMatchObject({ delivered: 1_000, dropped: { ...NONE, malformed: 1_000 } })
  })

  function expectDroppedRateLimited(scene: Scene): void {
    expect(scene.heard).toEqual([])
    expect(scene.ledger.dropped).toEqual({ ...NONE, rateLimited: 1 })
  }
})

describe('garbage', () => {
  const junk = [
    ['what does not parse', () => 'junk'],
    ['malformed messages', () => '[{"data":1},{"data":2}]'],
    ['poisoned data', () => '{"data":{"__proto__":1}}'],
    ['repeats', () => wire(1)],
    ['stale messages', (nth: number) => wire(nth + 2, 0)],
    ['what the schema refuses', () => ({ data: { isBad: true } })],
    ['data over the limit', () => ({ data: { text: 'x'.repeat(5_000) } })],
    [
      'own messages in another spelling',
      (nth: number, own: string) => ({ sid: sidOf(own, nth + 1), data: {} }),
    ],
    ['forged jumps', () => wire(2 ** 50)],
    ['refused removals', () => ({ removed: true, sid: sidOf(STRANGER, 1) })],
  ] as const

  test.each(junk)('cannot silence the stream: %s leave the shared bucket as it is', async (_, make) => {
    const scene = await openScene({ schema: z.object({ isBad: z.undefined().optional() }).loose() })
    const own = scene.stream.publish({}).sid.slice(2, 18)
    scene.receive(wire(1, 0))
    await vi.advanceTimersByTimeAsync(10_000)
    scene.heard.length = 0
    for (let count = 0; count < 10_000; count++) scene.receive(make(count, own))
    // A proven publisher is trusted once more.
    expect(scene.ledger.dropped.rateLimited).toBeGreaterThanOrEqual(10_000 - 31)
    expect(scene.heard).toEqual([])
    expect(scene.stream.budget().available).toBe(30)
    for (let count = 0; count < 30; count++) scene.stream.publish({ count })
    expect(scene.heard).toHaveLength(30)
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive(wire(20_000, 11_000))
    expect(scene.data.at(-1)).toEqual({ n: 20_000 })
    expectLawful(scene.ledger)
  })

  test('costs a good message nothing while it comes no faster than the limit', async () => {
    const scene = await openScene()
    for (let number = 1; number <= 100; number++) {
      scene.receive('junk')
      scene.receive(wire(number))
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(scene.heard).toHaveLength(100)
  })

  test.each([35, 300, 10_000])(
    'of %i frames a second does not hold up a publisher that is proven',
    async (perSecond) => {
      const scene = await openScene()
      for (let number = 1; number <= 3; number++) scene.receive(wire(number))
      for (let number = 4; number <= 60; number++) {
        for (let count = 0; count < perSecond / 10; count++) scene.receive(count % 2 ? 'junk' : wire(1))
        scene.receive(number % 2 ? wire(number, number * 100) : [wire(number, number * 100)])
        await vi.advanceTimersByTimeAsync(100)
      }
      expect(scene.heard).toHaveLength(60)
      expectLawful(scene.ledger)
    },
  )

  test('forged under the origin of a proven publisher is decoded once, until that one delivers again', async () => {
    const scene = await openScene()
    for (let number = 1; number <= 3; number++) scene.receive(wire(number))
    for (let count = 0; count < 100; count++) scene.receive('junk')
    const parse = vi.spyOn(JSON, 'parse')
    const forge = (number: number) => scene.receive(`{"data":7,"sid":"${sidOf(STRANGER, number)}","t":1}`)
    for (let number = 1; number <= 1_000; number++) forge(number)
    expect(parse).toHaveBeenCalledTimes(1)
    scene.receive(wire(4))
    expect(scene.heard).toHaveLength(3) // it pays for the forger, until the flood pauses
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive(wire(5))
    for (let count = 0; count < 100; count++) scene.receive('junk')
    scene.receive(wire(6))
    expect(scene.data.slice(3)).toEqual([{ n: 5 }, { n: 6 }])
    parse.mockRestore()
  })

  test('in a flood lets no newcomer, repeat or jump of a proven publisher through either', async () => {
    const scene = await openScene()
    for (let number = 1; number <= 3; number++) scene.receive(wire(number))
    for (let count = 0; count < 100; count++) scene.receive('junk')
    const { received } = scene.ledger
    const parse = vi.spyOn(JSON, 'parse')
    for (const frame of [wire(1, 0, 'a'.repeat(16)), wire(3, 0), wire(2 ** 50, 0), { data: {} }])
      scene.receive(frame)
    expect(parse).not.toHaveBeenCalled()
    parse.mockRestore()
    expect(scene.ledger.received).toBe(received + 4)
    expect(scene.heard).toHaveLength(3)
  })

  test('in a flood is dropped undecoded', async () => {
    const scene = await openScene()
    const parse = vi.spyOn(JSON, 'parse')
    for (let count = 0; count < 20_000; count++) scene.receive('{"data":1}')
    expect(parse).toHaveBeenCalledTimes(30)
    parse.mockRestore()
    expect(scene.ledger.dropped).toEqual({ ...NONE, malformed: 30, rateLimited: 19_970 })
  })

  test('beside something deliverable in one frame is not charged as garbage', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 0, burst: 4 } })
    for (let number = 1; number <= 3; number++) scene.receive([wire(number), { data: 1 }])
    expect(scene.ledger).toMatchObject({ delivered: 3, dropped: { ...NONE, malformed: 3 } })
  })

  test('of one stream leaves the others alone', async () => {
    const scene = await openScene()
    const other = scene.hub.stream('other')
    const heard: unknown[] = []
    await other.subscribe(({ data }) => heard.push(data)).ready
    for (let count = 0; count < 10_000; count++) scene.receive(count % 2 ? 'junk' : wire(count))
    scene.transport.host.receive(`rivulet/default/other` as typeof scene.topic, '{"data":{"fine":true}}')
    expect(heard).toEqual([{ fine: true }])
  })
})

describe('a frame that nobody wants', () => {
  test('counts at the hub as notJoined when its topic is not joined', async () => {
    const scene = await openScene()
    scene.transport.host.receive('rivulet/default/unknown' as typeof scene.topic, '{"data":{}}')
    expect(scene.hub.ledger()).toMatchObject({ received: 1, dropped: { ...NONE, notJoined: 1 } })
    expect(scene.ledger.received).toBe(0)
  })

  test('counts at the hub once the last subscriber has left', async () => {
    const scene = await openScene()
    const hasLeft = scene.stream.subscribe(() => {})
    hasLeft.unsubscribe()
    scene.receive({ data: { n: 1 } })
    scene.stream.close()
    scene.receive({ data: { n: 2 } })
    expect(scene.data).toEqual([{ n: 1 }])
    expect(scene.hub.ledger()).toMatchObject({
      received: 2,
      delivered: 1,
      dropped: { ...NONE, notJoined: 1 },
    })
  })

  // RELIABILITY 40
  test('counts the rest of it as notJoined when the last subscriber leaves in its middle', async () => {
    const scene = await openScene()
    scene.stream.close()
    const stream = scene.hub.stream('scene')
    const heard: unknown[] = []
    const subscription = stream.subscribe(({ data }) => {
      heard.push(data)
      subscription.unsubscribe()
    })
    await subscription.ready
    scene.receive([wire(1), wire(2), wire(3)])
    expect(heard).toEqual([{ n: 1 }])
    expect(stream.ledger()).toMatchObject({ received: 3, delivered: 1, dropped: { ...NONE, notJoined: 2 } })
  })

  test('counts the rest of it as notJoined when a subscriber closes the stream in its middle', async () => {
    const scene = await openScene()
    scene.stream.subscribe(() => scene.stream.close())
    scene.receive([wire(1), wire(2), wire(3)])
    expect(scene.data).toEqual([{ n: 1 }])
    const ledger = scene.hub.ledger()
    expect(ledger).toMatchObject({ received: 3, delivered: 1, dropped: { ...NONE, notJoined: 2 } })
    expectLawful(ledger)
  })

  test('finds no room when too many wait for the running fan-out, and counts as rateLimited', async () => {
    const scene = await openScene({ ...free, maxWaiting: 1 })
    let isNested = false
    scene.stream.subscribe(() => {
      if (isNested) return
      isNested = true
      scene.receive([wire(1), wire(2)]) // a transport that delivers inside a subscriber
    })
    scene.stream.publish({ n: 0 })
    expect(scene.data).toEqual([{ n: 0 }, { n: 1 }])
    expect(scene.ledger).toMatchObject({ received: 2, delivered: 1, dropped: { ...NONE, rateLimited: 1 } })
  })
})

describe('a removal from another process', () => {
  test('ends the stream, tells that it was not local, and is not counted as a message', async () => {
    const scene = await openScene()
    const removed: unknown[] = []
    scene.stream.on('removed', (payload) => removed.push(payload))
    scene.receive({ removed: true, sid: sidOf(STRANGER, 1) })
    expect(removed).toEqual([{ reason: 'removed', isLocal: false }])
    expect(scene.stream.closed).toBe(true)
    expect(scene.hub.ledger().received).toBe(0)
    await tick()
    expect(scene.transport.sent).toEqual([])
  })

  test('is ignored when the hub does not accept removal, forged or not', async () => {
    const scene = await openScene({}, { acceptRemoval: false })
    for (let number = 1; number <= 100; number++)
      scene.receive({ removed: true, sid: sidOf(STRANGER, number) })
    expect(scene.stream.closed).toBe(false)
  })

  test('is ignored when it is repeated, its number is forged, or it bears an own origin', async () => {
    const scene = await openScene()
    const { sid } = scene.stream.publish({})
    scene.receive([wire(1), wire(2)])
    for (const forged of [sidOf(STRANGER, 2), sidOf(STRANGER, 2 ** 50), sid]) {
      scene.receive({ removed: true, sid: forged, more: 1 })
    }
    expect(scene.stream.closed).toBe(false)
  })

  test('under an own origin is garbage like any other', async () => {
    const scene = await openScene()
    const { sid } = scene.stream.publish({})
    const parse = vi.spyOn(JSON, 'parse')
    for (let count = 0; count < 1_000; count++) scene.receive({ removed: true, sid, more: 1 })
    expect(parse).toHaveBeenCalledTimes(30)
    parse.mockRestore()
  })

  test('is ignored while a barrier is overdue: it may be old', async () => {
    const scene = await openScene({ maxAgeMs: 500 })
    scene.transport.answers.flush = 'hang'
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(600)
    scene.receive({ removed: true, sid: sidOf(STRANGER, 1) })
    expect(scene.stream.closed).toBe(false)
  })
})

describe('origins', () => {
  // RELIABILITY 73
  test('invented by the hundred thousand cost bounded memory and do not evict a real one', async () => {
    const scene = await openScene(free)
    for (let number = 1; number <= 3; number++) scene.receive(wire(number))
    const invent = (from: number, count: number) => {
      for (let nth = from; nth < from + count; nth++) {
        const origin = nth.toString(16).padStart(16, '0')
        scene.receive(`{"data":{},"sid":"${sidOf(origin, 1)}","t":1}`)
        scene.heard.length = 0
      }
    }
    invent(1, 1_000)
    const before = heapUsed()
    invent(1_001, 100_000)
    expect(heapUsed() - before).toBeLessThan(4 * 1024 * 1024)
    scene.receive(wire(3))
    scene.receive(wire(4))
    expect(scene.data).toEqual([{ n: 4 }])
    expect(scene.ledger).toMatchObject({ missed: 0, dropped: { ...NONE, duplicate: 1 } })
  })

  function heapUsed(): number {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
})

test('a canonical frame of another origin is no echo', async () => {
  const scene = await openScene()
  scene.stream.publish({})
  scene.heard.length = 0
  const message = new Message({ n: 1 }, true, STRANGER, 1)
  scene.receive(encodeMessage(message, { n: 1 }, 0))
  expect(scene.data).toEqual([{ n: 1 }])
})
