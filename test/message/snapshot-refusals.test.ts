import vm from 'node:vm'
import { createHub, RivuletError } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { decodeFrame } from '../../src/message/frame.ts'
import { seal } from '../../src/message/seal.ts'
import { jsonOf } from '../support/json-of.ts'
import { LIMIT, nested, refusalOf, take } from '../support/snapshots.ts'

describe('what JSON or a naive copy cannot take', () => {
  const thrown = new Error('user code')
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }
  const trap = (name: keyof ProxyHandler<object>) =>
    new Proxy(
      { a: 1 },
      {
        [name]: () => {
          throw thrown
        },
      },
    )

  // RELIABILITY 58, 60
  test.each<[string, unknown, string, string]>([
    ['a BigInt', { a: { b: [0, 1, 2, 5n] } }, '$.a.b[3]', 'A BigInt'],
    ['a boxed BigInt', { a: Object(5n) }, '$.a', 'A BigInt'],
    ['a BigInt that toJSON gives', { a: { toJSON: () => 5n } }, '$.a', 'A BigInt'],
    [
      'an own __proto__ key',
      JSON.parse('{"a":{"__proto__":{"b":1}}}'),
      '$.a.__proto__',
      'A key named __proto__',
    ],
    [
      'an escaped __proto__ key',
      JSON.parse('{"\\u005f_proto\\u005F_":1}'),
      '$.__proto__',
      'A key named __proto__',
    ],
    [
      'a __proto__ key with a string',
      JSON.parse('{"__proto__":"text"}'),
      '$.__proto__',
      'A key named __proto__',
    ],
    ['a computed __proto__ key', { ['__proto__']: undefined }, '$.__proto__', 'A key named __proto__'],
    [
      'a constructor key with a prototype',
      { a: [{ constructor: { prototype: { b: 1 } } }] },
      '$.a[0].constructor',
      'A key named constructor that holds a prototype',
    ],
    [
      'an escaped constructor key',
      JSON.parse('{"c\\u006fnstructor":{"prototype":null}}'),
      '$.constructor',
      'A key named constructor that holds a prototype',
    ],
    [
      'a constructor that toJSON gives a prototype',
      { constructor: { toJSON: () => ({ prototype: 1 }) } },
      '$.constructor',
      'A key named constructor that holds a prototype',
    ],
    ['nesting of 101 levels', nested(101), `$${'.a'.repeat(100)}`, 'Nesting deeper than 100 levels'],
    ['nesting of 100 000 levels', nested(100_000), `$${'.a'.repeat(100)}`, 'Nesting deeper than 100 levels'], // RELIABILITY 59
  ])('is %s: INVALID_DATA with the path', (_, data, path, reason) => {
    expect(refusalOf(data)).toEqual({ code: 'INVALID_DATA', path, reason })
  })

  test.each<[string, unknown, string]>([
    [
      'a getter',
      {
        a: [
          {
            get b() {
              throw thrown
            },
          },
        ],
      },
      '$.a[0].b',
    ],
    [
      'toJSON',
      {
        a: {
          toJSON() {
            throw thrown
          },
        },
      },
      '$.a',
    ],
    [
      'toJSON of the root',
      {
        toJSON() {
          throw thrown
        },
      },
      '$',
    ],
    [
      'a getter of toJSON',
      {
        a: {
          get toJSON() {
            throw thrown
          },
        },
      },
      '$.a',
    ],
    [
      'valueOf of a boxed number',
      {
        a: Object.assign(new Number(1), {
          valueOf() {
            throw thrown
          },
        }),
      },
      '$.a',
    ],
    [
      'toString of a boxed string',
      {
        a: Object.assign(new String(1), {
          toString() {
            throw thrown
          },
        }),
      },
      '$.a',
    ],
    ['the get trap of a Proxy', { a: trap('get') }, '$.a'],
    ['the ownKeys trap of a Proxy', { a: trap('ownKeys') }, '$.a'],
    ['the getPrototypeOf trap of a Proxy', { a: trap('getPrototypeOf') }, '$.a'],
    ['the descriptor trap of a Proxy', { a: trap('getOwnPropertyDescriptor') }, '$.a'],
  ])('is %s that throws: INVALID_DATA with the path and the cause', (_, data, path) => {
    expect(refusalOf(data)).toEqual({
      code: 'INVALID_DATA',
      path,
      reason: 'Reading the data threw',
      cause: thrown,
    })
  })

  test.each([undefined, null, 0, ''])('is a getter that throws %j', (thrown) => {
    const data = {
      get a() {
        throw thrown
      },
    }
    expect(refusalOf(data)).toEqual({
      code: 'INVALID_DATA',
      path: '$.a',
      reason: 'Reading the data threw',
      cause: thrown,
    })
  })

  test.each<[string, unknown, string]>([
    ['a revoked Proxy', { a: [revoked()] }, '$.a[0]'],
    ['a revoked Proxy as the root', revoked(), '$'],
    [
      'a boxed number whose valueOf gives a BigInt',
      { a: Object.assign(new Number(1), { valueOf: () => 5n }) },
      '$.a',
    ],
  ])('is %s: INVALID_DATA with the cause', (_, data, path) => {
    const refusal = refusalOf(data)
    expect(refusal).toMatchObject({ code: 'INVALID_DATA', path })
    expect(refusal.cause).toBeInstanceOf(TypeError)
    expect(() => JSON.stringify(data)).toThrow(TypeError)
  })

  test.each(['text', null, 0, false])('is a getter that throws %j: the cause is kept', (cause) => {
    const data = {
      get a() {
        throw cause
      },
    }
    expect(refusalOf(data)).toMatchObject({ code: 'INVALID_DATA', cause })
  })

  test('is a getter that throws the refusal of another publish: still INVALID_DATA', () => {
    const full = createHub().stream('full', { limit: { ratePerSecond: 0, burst: 1 } })
    full.publish({})
    const other = full.tryPublish({})
    const data = {
      get a() {
        throw other
      },
    }
    expect(refusalOf(data)).toMatchObject({ code: 'INVALID_DATA', path: '$.a', cause: other })
  })

  test('is a cycle, told with the path at which it closes', () => {
    const own: Record<string, unknown> = {}
    own.self = own
    expect(refusalOf(own)).toEqual({ code: 'INVALID_DATA', path: '$.self', reason: 'A cycle' })
    const list: unknown[] = [0]
    list.push({ back: list })
    expect(refusalOf({ list })).toEqual({ code: 'INVALID_DATA', path: '$.list[1].back', reason: 'A cycle' })
  })

  test('is a cycle through many objects', () => {
    const ring: Record<string, unknown> = {}
    let last = ring
    for (let index = 0; index < 50_000; index++) last = last.next = {} as Record<string, unknown>
    last.next = ring
    expect(refusalOf(ring)).toMatchObject({ code: 'INVALID_DATA', reason: 'Nesting deeper than 100 levels' })
  })

  test('is a Proxy or a toJSON without an end', () => {
    const endless: object = new Proxy({ a: 1 }, { get: (_, key) => (key === 'toJSON' ? undefined : endless) })
    expect(refusalOf({ endless })).toMatchObject({ code: 'INVALID_DATA', reason: 'A cycle' })
    const deeper = (): object => ({ toJSON: () => ({ next: deeper() }) })
    expect(refusalOf(deeper())).toMatchObject({
      code: 'INVALID_DATA',
      reason: 'Nesting deeper than 100 levels',
    })
  })

  test('is not nesting of exactly 100 levels', () => {
    expect(take(nested(100))).toEqual(nested(100))
    const arrays = JSON.parse(`{"a":${'['.repeat(99)}${']'.repeat(99)}}`) as object
    expect(take(arrays)).toEqual(arrays)
    expect(refusalOf({ a: [arrays] })).toMatchObject({ reason: 'Nesting deeper than 100 levels' })
  })

  test.each<[string, string]>([
    ['_a$1', '$._a$1'],
    ['1a', '$["1a"]'],
    ['a b', '$["a b"]'],
    ['', '$[""]'],
    ['"\n', '$["\\"\\n"]'],
    ['é', '$["é"]'],
    ['k'.repeat(81), `$["${'k'.repeat(80)}"]`],
  ])('has the key %j in its path as %s', (key, path) => {
    expect(refusalOf({ [key]: 5n }).path).toBe(path)
  })

  test('is told without copying a key of ten million characters', () => {
    expect(refusalOf({ ['k'.repeat(10_000_000)]: 5n }).path?.length).toBeLessThan(100)
  })

  // RELIABILITY 58, 59: the same is refused on the way in.
  test.each([
    '{"__proto__":{"a":1}}',
    '{"a":[{"\\u005f_proto__":1}]}',
    '{"constructor":{"prototype":{}}}',
    '{"a":{"c\\u006fnstructor":{"prototyp\\u0065":1}}}',
    '{"a":1e400}',
    '{"a":[-1e999]}',
    JSON.stringify(nested(101)),
    `{"a":${'['.repeat(100)}${']'.repeat(100)}}`,
  ])('is refused as malformed when %.40s comes from another process', (json) => {
    expect(seal(JSON.parse(json) as object, LIMIT)).toBe('malformed')
  })

  test('is not refused on the way in when it is fine, and is frozen then', () => {
    const data = JSON.parse('{"a":[{"constructor":1,"b":null}],"c":true,"d":"e"}') as { a: object[] }
    expect(seal(data, LIMIT)).toBe('sealed')
    for (const part of [data, data.a, data.a[0]]) expect(Object.isFrozen(part)).toBe(true)
    expect(seal(nested(100), LIMIT)).toBe('sealed')
  })

  test('nests in remote frames no deeper than here, with or without an array around', () => {
    const entry = `{"data":${JSON.stringify(nested(100))}}`
    expect(decodeFrame(Buffer.from(`[${entry}]`))).toBeDefined()
    const tooDeep = `{"data":${JSON.stringify(nested(102))}}`
    expect(decodeFrame(Buffer.from(`[${tooDeep}]`))).toBeUndefined()
  })

  test('is refused by the same size on the way in', () => {
    expect(seal({ a: 'é'.repeat(2044) }, LIMIT)).toBe('sealed')
    expect(seal({ a: `${'é'.repeat(2044)}x` }, LIMIT)).toBe('tooLarge')
  })
})

describe('a built-in that JSON empties or turns into its indices', () => {
  const frame = 'write { name: error.name, message: error.message }'
  const array = 'write Array.from(array), or a string of its bytes'
  const bytes = 'write a string of its bytes'
  const parameters = 'write Object.fromEntries(parameters)'

  test.each<[string, object, string]>([
    ['Map', new Map([[1, 2]]), 'write Object.fromEntries(map)'],
    ['Map of a subclass', new (class Registry extends Map {})(), 'write Object.fromEntries(map)'],
    ['Map of another realm', vm.runInNewContext('new Map()'), 'write Object.fromEntries(map)'],
    ['Set', new Set([1]), 'write [...set]'],
    ['WeakMap', new WeakMap(), 'write its values'],
    ['WeakSet', new WeakSet(), 'write its values'],
    ['Promise', Promise.resolve(), 'await it first'],
    ['RegExp', /x/, 'write String(expression)'],
    ['Error', new Error('x'), frame],
    ['Error of a subclass', new TypeError('x'), frame],
    ['Error of a class of the application', new (class Failure extends Error {})('x'), frame],
    ['Error of another realm', vm.runInNewContext('new RangeError("x")'), frame],
    ['ArrayBuffer', new ArrayBuffer(1), bytes],
    ['SharedArrayBuffer', new SharedArrayBuffer(1), bytes],
    ['Uint8Array', new Uint8Array([7, 8]), array],
    ['BigInt64Array', new BigInt64Array(1), array],
    ['Float64Array of another realm', vm.runInNewContext('new Float64Array(1)'), array],
    ['DataView', new DataView(new ArrayBuffer(9)), array],
    ['URLSearchParams', new URLSearchParams('a=1'), parameters],
    ['Headers', new Headers({ a: '1' }), 'write Object.fromEntries(headers)'],
    ['Blob', new Blob(['a']), 'write await blob.text()'],
    ['DOMException', new DOMException('x'), frame],
  ])('is refused, and told what to write instead: %s', (_, value, advice) => {
    for (const [data, path] of [
      [value, '$'],
      [{ a: [value] }, '$.a[0]'],
    ] as const) {
      const { code, path: told, reason } = refusalOf(data)
      expect({ code, told }).toEqual({ code: 'INVALID_DATA', told: path })
      expect(reason).toContain(advice)
    }
  })

  test.each<[string, object]>([
    ['claims to be a Map', { [Symbol.toStringTag]: 'Map', a: 1 }],
    [
      'is of a class that claims to be a Set',
      new (class {
        [Symbol.toStringTag] = 'Set'
        a = 1
      })(),
    ],
    ['has a Map’s prototype and nothing of a Map', Object.assign(Object.create(Map.prototype), { a: 1 })],
  ])('is told by its internal slot: what only %s passes as JSON has it', (_, data) => {
    expect(take({ data })).toEqual(jsonOf({ data }))
  })
})

test('tells a refusal of the walk as a RivuletError of the stream', () => {
  const stream = createHub().stream('errors')
  try {
    stream.publish({ a: { b: [0, 1, 2, 5n] } })
    expect.unreachable()
  } catch (error) {
    expect(RivuletError.is(error) && error.code).toBe('INVALID_DATA')
    expect(error).toMatchObject({ path: '$.a.b[3]' })
  }
})
