import assert from 'node:assert'
import vm from 'node:vm'
import { createHub, RivuletError } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { decodeFrame } from '../src/frame.ts'
import type { Refusal } from '../src/refusal.ts'
import { seal } from '../src/seal.ts'
import { snapshot } from '../src/snapshot.ts'
import { jsonOf } from './support/json-of.ts'

const LIMIT = 4096

/** Takes a snapshot within the default limit. */
function take(data: unknown, maxBytes = LIMIT): unknown {
  return snapshot(data, maxBytes)
}

/** Gives the code, path, reason and numbers of a refusal. */
function refusalOf(data: unknown, maxBytes = LIMIT): Refusal['details'] & { code: string } {
  try {
    snapshot(data, maxBytes)
  } catch (thrown) {
    const { code, details } = thrown as Refusal
    return { code, ...details }
  }
  throw new Error('The data was accepted.')
}

/** Nests objects: the root is level 1. */
function nested(levels: number): object {
  let data: object = {}
  for (let level = 1; level < levels; level++) data = { a: data }
  return data
}

/** A payload whose JSON has exactly `bytes` bytes. */
function ofBytes(bytes: number, unit: string, bytesPerUnit: number): object {
  const frame = '{"a":""}'.length
  const units = Math.floor((bytes - frame) / bytesPerUnit)
  return { a: unit.repeat(units) + 'x'.repeat(bytes - frame - units * bytesPerUnit) }
}

describe('the root of a message', () => {
  // RELIABILITY 61, 62
  test.each<[string, unknown, unknown]>([
    ['a plain object', { a: 1 }, { a: 1 }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['a class instance', new URLSearchParams(), {}],
    ['an object of another realm', vm.runInNewContext('({ a: [1, { b: 2 }] })'), { a: [1, { b: 2 }] }],
    ['what toJSON turns into an object', { toJSON: () => ({ a: 1 }) }, { a: 1 }],
    ['an array whose toJSON gives an object', Object.assign([1], { toJSON: () => ({ a: 1 }) }), { a: 1 }],
    ['a function whose toJSON gives an object', Object.assign(() => {}, { toJSON: () => ({}) }), {}],
    ['a Map', new Map([[1, 2]]), {}],
    ['an error', new Error('x'), {}],
    ['a typed array', new Uint8Array([7, 8]), { 0: 7, 1: 8 }],
    ['an object with nothing that JSON writes', { a: undefined }, {}],
  ])('may be %s', (_, data, expected) => {
    expect(take(data)).toEqual(expected)
    expect(jsonOf(data)).toEqual(expected)
  })

  test.each<[string, unknown]>([
    ['an array', [1]],
    ['a string', 'text'],
    ['a number', 1],
    ['a boolean', true],
    ['null', null],
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', 1n],
    ['a Date', new Date(0)],
    ['a boxed string', new String('text')],
    ['a boxed number of another realm', vm.runInNewContext('new Number(5)')],
    ['an array of another realm', vm.runInNewContext('[1]')],
    ['a Proxy of an array', new Proxy([1], {})],
    ['what toJSON turns into an array', { toJSON: () => [1] }],
    ['what toJSON turns into nothing', { toJSON: () => undefined }],
    ['what toJSON turns into null', { toJSON: () => null }],
  ])('is refused when it is %s', (_, data) => {
    expect(refusalOf(data)).toMatchObject({ code: 'INVALID_DATA', path: '$' })
  })

  test('is not read when it is an array', () => {
    const reads: PropertyKey[] = []
    const spy = new Proxy(new Array(10_000_000), {
      get: (target, key, receiver) => {
        reads.push(key)
        return Reflect.get(target, key, receiver)
      },
    })
    expect(refusalOf(spy).code).toBe('INVALID_DATA')
    expect(reads).toEqual(['toJSON'])
  })

  // RELIABILITY 66
  test('follows a toJSON that other code put on Object.prototype, as JSON.stringify does', () => {
    const prototype = Object.prototype as { toJSON?: unknown }
    prototype.toJSON = () => ({ polluted: true })
    try {
      expect(take({ a: 1 })).toEqual({ polluted: true })
      expect(refusalOf('a string has no toJSON to JSON.stringify').code).toBe('INVALID_DATA')
    } finally {
      delete prototype.toJSON
    }
  })
})

describe('a value inside a message', () => {
  class Point {
    x = 1
    get sum() {
      return this.x
    }
    move() {}
  }

  // RELIABILITY 60, 62
  test.each<[string, unknown]>([
    [
      'undefined, functions and symbols',
      { a: undefined, b: () => 1, c: Symbol('c'), d: [undefined, () => 1] },
    ],
    ['symbol keys', { [Symbol('k')]: 1, a: 2 }],
    ['numbers that are not finite', { a: Number.NaN, b: Infinity, c: -Infinity, d: [Number.NaN] }],
    ['minus zero', { a: -0, b: [-0], c: Object(-0) }],
    ['dates, valid or not', { a: new Date(5), b: new Date(Number.NaN) }],
    ['maps and sets', { a: new Map([[1, 2]]), b: new Set([1]), c: new WeakMap() }],
    ['boxed values', { a: Object(1), b: Object('s'), c: Object(false), d: [Object(Number.NaN)] }],
    ['boxed values of another realm', { a: vm.runInNewContext('[new Number(1), new String("s")]') }],
    [
      'boxed values of subclasses',
      { a: new (class extends Number {})(4), b: new (class extends Boolean {})(true) },
    ],
    ['boxed values with a valueOf of their own', { a: Object.assign(new Number(1), { valueOf: () => 7 }) }],
    [
      'boxed strings with a toString of their own',
      { a: Object.assign(new String('s'), { toString: () => 'o' }) },
    ],
    ['class instances', { a: new Point(), b: [new Point()] }],
    ['objects that claim another type', { a: { [Symbol.toStringTag]: 'Number', b: 1 } }],
    [
      'instances that claim to be numbers',
      {
        a: new (class {
          [Symbol.toStringTag] = 'Number'
        })(),
      },
    ],
    [
      'instances that claim to be strings',
      {
        a: new (class {
          [Symbol.toStringTag] = 'String'
        })(),
      },
    ],
    [
      'instances that claim to be booleans',
      {
        a: new (class {
          [Symbol.toStringTag] = 'Boolean'
        })(),
      },
    ],
    [
      'instances that claim to be BigInts',
      {
        a: new (class {
          [Symbol.toStringTag] = 'BigInt'
        })(),
      },
    ],
    ['objects without a prototype', { a: Object.assign(Object.create(null), { b: 1 }) }],
    ['sparse arrays', { a: Object.assign(new Array(5), { 1: 1, 3: 2 }) }],
    ['members of arrays beside the elements', { a: Object.assign([1], { b: 2 }) }],
    [
      'typed arrays and buffers',
      { a: new Float64Array([1, Number.NaN]), b: Buffer.from('a'), c: new DataView(new ArrayBuffer(9)) },
    ],
    ['lone surrogates', { a: '\ud800', '\udc00': 'b\udfff' }], // RELIABILITY 64
    ['keys like integers', { b: 1, 2: 2, 1: 3 }],
    ['members that are not enumerable', Object.defineProperty({ a: 1 }, 'b', { value: 2 })],
    ['inherited members', Object.create({ a: 1 }, { b: { value: 2, enumerable: true } })],
    [
      'accessors',
      {
        get a() {
          return [1]
        },
      },
    ],
    ['toJSON that gives undefined', { a: { toJSON: () => undefined }, b: [{ toJSON: () => undefined }] }],
    ['toJSON on a function', { a: Object.assign(() => 1, { toJSON: () => 'f' }) }],
    ['toJSON that gives a function', { a: { toJSON: () => () => 1 }, b: [{ toJSON: () => Symbol('s') }] }],
    [
      'toJSON that gives an object with another toJSON',
      { a: { toJSON: () => ({ toJSON: () => 'not called', b: 1 }) } },
    ],
    ['a toJSON that is no function', { a: { toJSON: 5 } }],
    [
      'the key that toJSON is given',
      { a: { toJSON: (key: unknown) => [key] }, b: [0, { toJSON: (key: unknown) => [key] }] },
    ],
    [
      'what toJSON makes of this',
      {
        a: {
          b: 3,
          toJSON(this: { b: number }) {
            return this.b
          },
        },
      },
    ],
    ['proxies', { a: new Proxy({ b: 1 }, {}), c: new Proxy([1, 2], {}) }],
    ['the keys toString, valueOf and hasOwnProperty', { toString: 1, valueOf: 2, hasOwnProperty: 3 }], // RELIABILITY 52
    ['a constructor without a prototype', { constructor: 'text', b: { constructor: { name: 'x' } } }],
    ['a constructor that is a function', { constructor: class {} }],
    ['a constructor whose prototype JSON leaves out', { constructor: { prototype: undefined } }],
    ['a prototype that is in no constructor', { prototype: { constructor: [{ prototype: 1 }] } }],
    ['empty objects, arrays, strings and keys', { a: {}, b: [], c: '', '': 0 }],
    ['one object in two places', ((shared) => ({ a: shared, b: [shared, shared] }))({ c: 1 })],
  ])('is what JSON.stringify makes of %s', (_, data) => {
    assert.deepStrictEqual(take(data), jsonOf(data))
  })

  test('of a root of its own toJSON gets the empty key', () => {
    expect(take({ toJSON: (key: string) => ({ key }) })).toEqual({ key: '' })
  })

  test('of BigInt follows a toJSON on its prototype, as JSON.stringify does', () => {
    const prototype = BigInt.prototype as unknown as { toJSON?: unknown }
    prototype.toJSON = function (this: bigint) {
      return `${this}n`
    }
    try {
      expect(take({ a: [5n] })).toEqual({ a: ['5n'] })
    } finally {
      delete prototype.toJSON
    }
  })

  test('of minus zero is zero', () => {
    expect(Object.is((take({ a: -0 }) as { a: number }).a, 0)).toBe(true)
  })
})

describe('a snapshot', () => {
  // RELIABILITY 43
  test('is a copy that what the publisher does later does not reach', () => {
    const stream = createHub().stream<{ a: { b: number[] } }>('copies')
    const data = { a: { b: [1] } }
    const { data: taken } = stream.publish(data)
    data.a.b.push(2)
    data.a = { b: [] }
    expect(taken).toEqual({ a: { b: [1] } })
  })

  test('is frozen all the way down, and leaves the publisher his object as it was', () => {
    const data = { a: { b: [{ c: 1 }] }, d: new Date(0), e: new Map() }
    const copy = take(data) as { a: { b: object[] }; e: object }
    for (const part of [copy, copy.a, copy.a.b, copy.a.b[0], copy.e]) expect(Object.isFrozen(part)).toBe(true)
    for (const part of [data, data.a, data.a.b, data.a.b[0]]) expect(Object.isFrozen(part)).toBe(false)
  })

  test('shows no subscriber what another one tried to do to it', () => {
    const stream = createHub().stream<{ a: { b: number } }>('mutants')
    const seen: unknown[] = []
    stream.on('error', () => {})
    stream.subscribe(({ data }) => {
      ;(data as { a: { b: number } }).a.b = 5
    })
    stream.subscribe(({ data }) => seen.push(data))
    stream.publish({ a: { b: 1 } })
    expect(seen).toEqual([{ a: { b: 1 } }])
    expect(stream.ledger().listenerErrors).toBe(1)
  })

  test('is made of ordinary objects and arrays, whatever the realm or class of the source', () => {
    const copy = take({ a: vm.runInNewContext('[{}]'), b: Object.create(null) }) as { a: object[]; b: object }
    expect(Object.getPrototypeOf(copy.a)).toBe(Array.prototype)
    expect(Object.getPrototypeOf(copy.a[0])).toBe(Object.prototype)
    expect(Object.getPrototypeOf(copy.b)).toBe(Object.prototype)
  })

  // RELIABILITY 65
  test('has the precision of a double', () => {
    expect(take({ a: 2 ** 64, b: 1e308, c: 5e-324 })).toEqual({
      a: 18446744073709552000,
      b: 1e308,
      c: 5e-324,
    })
  })
})

describe('reading the data', () => {
  // RELIABILITY 60
  test('calls every getter once, so that a second answer cannot get past the checks', () => {
    let reads = 0
    const data = {
      get a() {
        return ++reads === 1 ? 'small' : 'x'.repeat(5000)
      },
    }
    expect(take(data)).toEqual({ a: 'small' })
    expect(reads).toBe(1)
  })

  test('calls toJSON once, and looks for it once', () => {
    let looks = 0
    let calls = 0
    const part = {
      get toJSON() {
        looks++
        return () => (++calls === 1 ? { b: 1 } : 5n)
      },
    }
    expect(take({ a: part })).toEqual({ a: { b: 1 } })
    expect([looks, calls]).toEqual([1, 1])
  })

  test('asks a Proxy once for each member and for its keys', () => {
    const asked: string[] = []
    const data = new Proxy({ a: 1, b: [1] } as Record<string, unknown>, {
      get: (target, key) => {
        asked.push(String(key))
        return asked.filter((name) => name === key).length > 1 ? 5n : target[key as string]
      },
      ownKeys: (target) => {
        asked.push('keys')
        return Reflect.ownKeys(target)
      },
    })
    expect(take({ p: data })).toEqual({ p: { a: 1, b: [1] } })
    expect(asked).toEqual(['toJSON', 'keys', 'a', 'b'])
  })

  test('asks a Proxy of an array once for its length and each element', () => {
    const asked: string[] = []
    const data = new Proxy([1, 2], {
      get: (target, key) => {
        asked.push(String(key))
        if (key === 'length') return asked.includes('0') ? 1e9 : 2
        return Reflect.get(target, key)
      },
    })
    expect(take({ a: data })).toEqual({ a: [1, 2] })
    expect(asked).toEqual(['toJSON', 'length', '0', '1'])
  })

  test.each<[unknown, unknown[]]>([
    ['2', [1, 2]],
    [1.9, [1]],
    [-1, []],
    [Number.NaN, []],
    [undefined, []],
  ])('takes a length of %s from a Proxy as JSON.stringify does', (length, expected) => {
    const make = () =>
      new Proxy([1, 2], { get: (target, key) => (key === 'length' ? length : Reflect.get(target, key)) })
    expect(take({ a: make() })).toEqual({ a: expected })
    expect(jsonOf({ a: make() })).toEqual({ a: expected })
  })
})

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
    ['a BigInt array', { a: new BigInt64Array(1) }, '$.a["0"]', 'A BigInt'],
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
  ])('is refused as malformed when %.40s comes from another process', (json) => {
    expect(seal(JSON.parse(json) as object, LIMIT)).toBe('malformed')
  })

  test('is not refused on the way in when it is fine, and is frozen then', () => {
    const data = JSON.parse('{"a":[{"constructor":1,"b":null}],"c":true,"d":"e"}') as { a: object[] }
    expect(seal(data, LIMIT)).toBe('sealed')
    for (const part of [data, data.a, data.a[0]]) expect(Object.isFrozen(part)).toBe(true)
    expect(seal(nested(100), LIMIT)).toBe('sealed')
  })

  test('nests in frames of other processes no deeper than here, with or without an array around', () => {
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

describe('the size of a message', () => {
  // RELIABILITY 54
  describe.each<[string, string, number]>([
    ['ASCII', 'x', 1],
    ['quotes', '"', 2],
    ['newlines', '\n', 2],
    ['control characters', '\u0001', 6],
    ['é', 'é', 2],
    ['€', '€', 3],
    ['emoji', '😀', 4],
    ['lone surrogates', '\ud800', 6],
    ['U+2028', '\u2028', 3],
    ['U+007F', '\u007f', 1],
    ['U+0080', '\u0080', 2],
    ['U+07FF', '\u07ff', 2],
    ['U+0800', '\u0800', 3],
    ['U+FFFF', '\uffff', 3],
  ])('in %s', (_, unit, bytesPerUnit) => {
    test.each([
      [4095, true],
      [4096, true],
      [4097, false],
    ])('of %i bytes passes: %s', (bytes, passes) => {
      const data = ofBytes(bytes, unit, bytesPerUnit)
      expect(Buffer.byteLength(JSON.stringify(data))).toBe(bytes)
      if (passes) expect(take(data)).toEqual(data)
      else expect(refusalOf(data)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', bytes, maxBytes: LIMIT })
    })
  })

  test('counts keys, numbers, brackets and commas', () => {
    const data = { 'é\n': [1, 2.5, -1e-7, true, null, {}, []], b: { c: false } }
    const bytes = Buffer.byteLength(JSON.stringify(data))
    expect(take(data, bytes)).toEqual(data)
    expect(refusalOf(data, bytes - 1)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', bytes })
  })

  test('is told as a lower bound where measuring stopped, and exactly where it did not', () => {
    expect(refusalOf({ a: 'x'.repeat(5000) })).toEqual({
      code: 'PAYLOAD_TOO_LARGE',
      bytes: 5008,
      maxBytes: LIMIT,
      atLeast: true,
    })
    expect(refusalOf({ a: 'é'.repeat(3000) })).toEqual({
      code: 'PAYLOAD_TOO_LARGE',
      bytes: 6008,
      maxBytes: LIMIT,
      atLeast: false,
    })
  })

  test('of the smallest object is 2 bytes', () => {
    expect(take({}, 2)).toEqual({})
  })

  test('is not counted exactly, here or on the way in, where a cheap upper bound is within the limit', () => {
    const within = {
      truck: 7,
      at: '2024-05-01T12:00:00Z',
      stops: [{ n: 1 }, { n: 2 }],
      note: 'é'.repeat(300),
    }
    const perhapsOver = { note: 'x'.repeat(2000) }
    const stringify = vi.spyOn(JSON, 'stringify')
    onTestFinished(() => stringify.mockRestore())
    take(within)
    expect(seal({ ...within }, LIMIT)).toBe('sealed')
    expect(stringify).not.toHaveBeenCalled()
    take(perhapsOver)
    expect(seal({ ...perhapsOver }, LIMIT)).toBe('sealed')
    expect(stringify).toHaveBeenCalledTimes(2)
  })
})

describe('the walk', () => {
  /** Counts the reads of elements through a Proxy. */
  function counting<T extends object>(target: T): { proxy: T; reads: () => number } {
    let reads = 0
    const proxy = new Proxy(target, {
      get: (inner, key, receiver) => {
        if (typeof key === 'string' && key !== 'toJSON' && key !== 'length') reads++
        return Reflect.get(inner, key, receiver)
      },
    })
    return { proxy, reads: () => reads }
  }

  test('refuses a sparse array of ten million without reading an element', () => {
    const { proxy, reads } = counting(new Array(10_000_000))
    expect(refusalOf({ a: proxy })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', atLeast: true })
    expect(reads()).toBe(0)
  })

  test('refuses an array that claims an endless length without reading an element', () => {
    const { proxy, reads } = counting(
      new Proxy([], { get: (_, key) => (key === 'length' ? Infinity : undefined) }),
    )
    expect(refusalOf({ a: proxy }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads()).toBe(0)
  })

  test('stops reading an array as soon as the smallest size is over the limit', () => {
    const { proxy, reads } = counting(new Array(2000).fill('xxxxxxxx'))
    expect(refusalOf({ a: proxy }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads()).toBeLessThan(LIMIT / 10)
  })

  test('stops reading an object as soon as the smallest size is over the limit', () => {
    const { proxy, reads } = counting(
      Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, 1])),
    )
    expect(refusalOf({ a: proxy }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads()).toBeLessThan(LIMIT / 5)
  })

  // RELIABILITY 63
  test.each<[string, (part: unknown) => object]>([
    ['objects', (part) => ({ l: part, r: part })],
    ['arrays', (part) => [part, part]],
  ])('ends a bomb of 2^24 shared %s after as many reads as a message has bytes', (_, double) => {
    let reads = 0
    let bomb: unknown = {
      get leaf() {
        reads++
        return 1
      },
    }
    for (let level = 0; level < 24; level++) bomb = double(bomb)
    expect(refusalOf({ bomb }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads).toBeLessThan(LIMIT)
  })

  test('ends a bomb of shared objects with nothing in them that JSON writes', () => {
    let reads = 0
    const empty = Object.defineProperties(
      {},
      Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [
          `k${index}`,
          { enumerable: true, get: () => void reads++ },
        ]),
      ),
    )
    expect(refusalOf({ a: new Array(1000).fill(empty) })).toMatchObject({
      code: 'INVALID_DATA',
      reason: 'More than 65536 members that JSON leaves out',
    })
    expect(reads).toBe(65_537)
    expect(take({ a: new Array(60).fill(empty) })).toEqual({ a: new Array(60).fill({}) })
  })

  test('refuses a string or a key of a hundred million characters without encoding it', () => {
    const text = 'x'.repeat(100_000_000) // a rope: reading any character would flatten it
    expect(refusalOf({ a: text })).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      bytes: 100_000_008,
      atLeast: true,
    })
    expect(refusalOf({ [text]: 1 })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', atLeast: true })
  })

  test('refuses a typed array of a hundred million elements without making its keys', () => {
    expect(refusalOf({ a: new Uint8Array(100_000_000) })).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      atLeast: true,
    })
    expect(refusalOf(new Float64Array(10_000_000)).code).toBe('PAYLOAD_TOO_LARGE')
  })

  test('takes a typed array exactly as long as its JSON fits', () => {
    const data = { a: new Uint8Array(30).fill(7) }
    const bytes = JSON.stringify(data).length
    expect(take(data, bytes)).toEqual(jsonOf(data))
    expect(refusalOf(data, bytes - 1)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', bytes })
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
