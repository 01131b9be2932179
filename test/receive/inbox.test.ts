import type { Message } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { sidOf } from '../../src/message/sid.ts'
import { expectDropped, NONE_DROPPED as NONE } from '../support/dropped.ts'
import { expectLawful, OTHER_ORIGIN, openScene, stateOf, wire } from '../support/remote-scene.ts'
import { schemaOf } from '../support/schemas.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const free = { limit: false } as const
const bytes = (text: string) => new TextEncoder().encode(text)

describe('a message from another process', () => {
  test('is delivered frozen all the way down, with its sid, as not local', async () => {
    const { receive, heard, ledger } = await openScene()
    receive(wire(7, 0, OTHER_ORIGIN, { a: [{ b: null }] }))
    expect(JSON.parse(JSON.stringify(heard))).toEqual([
      { sid: sidOf(OTHER_ORIGIN, 7), data: { a: [{ b: null }] } },
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
  test('of a foreign client without sid and t gets a sid of its own each time', async () => {
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
    ['a forged number of 2⁵³', `{"data":{},"sid":"TZ${OTHER_ORIGIN}0020000000000000"}`],
    ['a forged t', `{"data":{},"sid":"${sidOf(OTHER_ORIGIN, 1)}","t":1e400}`],
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
  test('once and undecoded, when it has more than 320 KiB, whatever the maxBytes', async () => {
    const most = 320 * 1024
    for (const maxBytes of [100, 65_536]) {
      const scene = await openScene({ ...free, maxBytes })
      scene.receive(`{"data":{}}${' '.repeat(most - 11)}`)
      expect(scene.heard).toHaveLength(1)
      const decode = vi.spyOn(TextDecoder.prototype, 'decode')
      scene.receive(`{"data":{}}${' '.repeat(most - 10)}`)
      scene.receive(bytes(`{"data":{}}${' '.repeat(most - 10)}`))
      scene.receive(`{"data":{}}${'é'.repeat((most - 10) / 2)}`)
      expect(decode).not.toHaveBeenCalled()
      decode.mockRestore()
      expect(scene.ledger).toMatchObject({ received: 4, delivered: 1, dropped: { malformed: 3 } })
    }
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
})

describe('a newer format', () => {
  test('is counted by message and told once a stream, and what is beside it is delivered', async () => {
    const scene = await openScene(free)
    scene.receive('[{"data":{"n":1}},{"v":2,"data":{"n":2}},{"v":2,"data":{"n":3}},{"data":{"n":4}}]')
    scene.receive('{"v":3,"sid":"TZ","messages":[1,2,3]}')
    scene.receive(`{"removed":true,"v":2,"sid":"${sidOf(OTHER_ORIGIN, 1)}","t":0}`)
    expect(scene.data).toEqual([{ n: 1 }, { n: 4 }])
    expect(scene.ledger).toMatchObject({ received: 6, delivered: 2, dropped: { ...NONE, newerFormat: 4 } })
    expectLawful(scene.ledger)
    expect(scene.stream.closed).toBe(false)
    expect(scene.errors).toEqual([expect.objectContaining({ code: 'NEWER_FORMAT', stream: 'scene' })])
  })

  test('is told beside what an option of this process keeps out', async () => {
    const scene = await openScene({ ...free, maxBytes: 10 })
    scene.receive({ data: { long: 'x'.repeat(20) } })
    scene.receive('{"v":2}')
    expect(scene.errors).toMatchObject([{ code: 'PAYLOAD_TOO_LARGE' }, { code: 'NEWER_FORMAT' }])
  })

  test('is told by the event dropped, gathered for a tick', async () => {
    const scene = await openScene(free)
    const told: unknown[] = []
    scene.stream.on('dropped', (drops) => told.push(drops))
    for (let nth = 0; nth < 3; nth++) scene.receive('{"v":2}')
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toEqual([{ reason: 'newerFormat', count: 3 }])
  })

  test('fills only the bucket for garbage: a flood of it is mostly not decoded', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 2, burst: 3 } })
    for (let nth = 0; nth < 1_000; nth++) scene.receive('{"v":2}')
    expect(scene.ledger.dropped).toEqual({ ...NONE, newerFormat: 5, rateLimited: 995 })
    expect(scene.errors).toHaveLength(1)
  })
})

describe('data', () => {
  test('over the limit is counted tooLarge, in UTF-8 bytes; those beside it arrive', async () => {
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

  test('whose validator throws is counted schema, and the throw stays inside', async () => {
    const schema = schemaOf((value) => {
      if ((value as { bad?: boolean }).bad) throw new Error('validator')
      return { value }
    })
    const scene = await openScene({ schema })
    scene.receive({ data: { bad: true } })
    expectDropped(scene, 'schema')
  })

  // RELIABILITY 66
  test('is counted malformed, without a throw, when Object.prototype is polluted', async () => {
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

describe('a frame without a subscriber', () => {
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
    scene.receive([wire(1), wire(1), { data: 'malformed' }])
    expect(heard).toEqual([{ n: 1 }])
    expect(stream.ledger()).toMatchObject({ received: 3, delivered: 1, dropped: { ...NONE, notJoined: 2 } })
  })

  test('counts its rest as notJoined when a subscriber closes the stream in its middle', async () => {
    const scene = await openScene()
    scene.stream.subscribe(() => scene.stream.close())
    scene.receive([wire(1), wire(2), wire(3)])
    expect(scene.data).toEqual([{ n: 1 }])
    const ledger = scene.hub.ledger()
    expect(ledger).toMatchObject({ received: 3, delivered: 1, dropped: { ...NONE, notJoined: 2 } })
    expectLawful(ledger)
  })

  test('is rateLimited when too many messages wait for the running fan-out', async () => {
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

  test('is rateLimited inside a full fan-out, and not taken for garbage', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1, burst: 1 }, maxWaiting: 0 })
    const origins = ['a', 'b', 'c'].map((digit) => digit.repeat(16))
    const nested = origins.map((origin) => wire(1, 0, origin))
    scene.stream.subscribe(() => nested.splice(0).forEach(scene.receive))
    scene.stream.publish({ n: 0 })
    expect(scene.ledger.dropped.rateLimited).toBe(3)
    scene.receive(wire(1, 0))
    expect(scene.data).toEqual([{ n: 0 }, { n: 1 }])
  })
})

test('a topic that is joined again tells all who subscribe, though others have left', async () => {
  const scene = await openScene()
  const leaving = scene.stream.subscribe(() => {})
  scene.transport.answers.join = 'hang'
  scene.transport.host.down()
  await vi.advanceTimersByTimeAsync(1_000)
  leaving.unsubscribe()
  const { ready } = scene.stream.subscribe(() => {})
  expect(await stateOf(ready)).toBe('pending')
  scene.transport.joins.at(-1)?.resolve()
  expect(await stateOf(ready)).toBe('resolved')
})
