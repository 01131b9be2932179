import assert from 'node:assert'
import vm from 'node:vm'
import { createHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { jsonOf } from '../support/json-of.ts'
import { refusalOf, take } from '../support/snapshots.ts'

describe('the root of a message', () => {
  // RELIABILITY 61, 62
  test.each<[string, unknown, unknown]>([
    ['a plain object', { a: 1 }, { a: 1 }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [
      'a class instance',
      new (class {
        a = 1
      })(),
      { a: 1 },
    ],
    ['a Buffer, as JSON has it', Buffer.from('a'), { type: 'Buffer', data: [97] }],
    ['an object of another realm', vm.runInNewContext('({ a: [1, { b: 2 }] })'), { a: [1, { b: 2 }] }],
    ['what toJSON turns into an object', { toJSON: () => ({ a: 1 }) }, { a: 1 }],
    ['an array whose toJSON gives an object', Object.assign([1], { toJSON: () => ({ a: 1 }) }), { a: 1 }],
    ['a function whose toJSON gives an object', Object.assign(() => {}, { toJSON: () => ({}) }), {}],
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

  test('may be a BigInt for which other code wrote a toJSON, as to JSON.stringify', () => {
    const prototype = BigInt.prototype as { toJSON?: unknown }
    prototype.toJSON = function (this: bigint) {
      return { digits: this.toString() }
    }
    try {
      expect(take(5n)).toEqual({ digits: '5' })
    } finally {
      delete prototype.toJSON
    }
  })

  // RELIABILITY 66
  test('is refused when a toJSON on Object.prototype leaves no JSON to be measured', () => {
    const prototype = Object.prototype as { toJSON?: unknown }
    let calls = 0
    prototype.toJSON = function (this: object) {
      return calls++ === 0 ? this : undefined
    }
    try {
      const { code, cause } = refusalOf({ text: 'é'.repeat(2_000) })
      expect([code, cause]).toEqual(['INVALID_DATA', new TypeError('There is no JSON of it.')])
    } finally {
      delete prototype.toJSON
    }
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
    ['buffers, URLs and dates, which have a toJSON', { a: Buffer.from('a'), b: new URL('http://a/b?c') }],
    ['a Map with a toJSON of its own', { a: Object.assign(new Map([[1, 2]]), { toJSON: () => [1] }) }],
    ['an error with a toJSON of its own', { a: Object.assign(new Error('x'), { toJSON: () => 'x' }) }],
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
    ['a function with a toJSON', { a: Object.assign(() => 1, { toJSON: () => ({ b: [1] }) }) }],
    ['proxies', { a: new Proxy({ b: 1 }, {}), c: new Proxy([1, 2], {}) }],
    ['the keys toString, valueOf and hasOwnProperty', { toString: 1, valueOf: 2, hasOwnProperty: 3 }], // RELIABILITY 52
    ['a constructor without a prototype', { constructor: 'text', b: { constructor: { name: 'x' } } }],
    ['a constructor that is a function', { constructor: class {} }],
    ['a constructor whose prototype JSON leaves out', { constructor: { prototype: undefined } }],
    ['a prototype that is in no constructor', { prototype: { constructor: [{ prototype: 1 }] } }],
    ['a prototype that is in another object', { a: { prototype: 1 }, b: [{ prototype: {} }] }],
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
    const data = { a: { b: [{ c: 1 }] }, d: new Date(0), e: new URL('http://a') }
    const copy = take(data) as { a: { b: object[] } }
    for (const part of [copy, copy.a, copy.a.b, copy.a.b[0]]) expect(Object.isFrozen(part)).toBe(true)
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

  test('has plain objects and arrays, whatever the realm or class of the source', () => {
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
