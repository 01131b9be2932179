import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import { execa } from 'execa'
import { createHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../support/source-files.ts'

/** What each one makes, as text, and what is written instead. */
const REFUSED: readonly [text: string, advice: string][] = [
  ['new Map([[1, 2]])', 'Object.fromEntries(map)'],
  ['new (class extends Map {})()', 'Object.fromEntries(map)'],
  ['new Set([1])', '[...set]'],
  ['new (class extends Set {})()', '[...set]'],
  ['new WeakMap()', 'its values'],
  ['new (class extends WeakMap {})()', 'its values'],
  ['new WeakSet()', 'its values'],
  ['new (class extends WeakSet {})()', 'its values'],
  ['Promise.resolve(1)', 'await it first'],
  ['(class extends Promise {}).resolve(1)', 'await it first'],
  ['/a/g', 'String(expression)'],
  ['new (class extends RegExp {})("a")', 'String(expression)'],
  ['new Error("e")', '{ name: error.name, message: error.message }'],
  ['new TypeError("e")', '{ name: error.name, message: error.message }'],
  ['new AggregateError([])', '{ name: error.name, message: error.message }'],
  ['new (class extends Error {})("e")', '{ name: error.name, message: error.message }'],
  ['new DOMException("e")', '{ name: error.name, message: error.message }'],
  ['new ArrayBuffer(2)', 'a string of its bytes'],
  ['new (class extends ArrayBuffer {})(2)', 'a string of its bytes'],
  ['new SharedArrayBuffer(2)', 'a string of its bytes'],
  ['new Uint8Array(2)', 'Array.from(array)'],
  ['new (class extends Float64Array {})(2)', 'Array.from(array)'],
  ['new BigInt64Array(2)', 'Array.from(array)'],
  ['new DataView(new ArrayBuffer(1))', 'a string of its bytes'],
  ['new URLSearchParams("a=1")', 'Object.fromEntries(parameters)'],
  ['new (class extends URLSearchParams {})("a=1")', 'Object.fromEntries(parameters)'],
  ['new Headers({ a: "1" })', 'Object.fromEntries(headers)'],
  ['new (class extends Headers {})()', 'Object.fromEntries(headers)'],
  ['new Blob(["a"])', 'await blob.text()'],
  ['new (class extends Blob {})(["a"])', 'await blob.text()'],
  ['new File(["a"], "a.txt")', 'await file.text()'],
  // As the DOMException of a frame is: its Error is another one, and only its name tells.
  [
    'new (class extends Error { get [Symbol.toStringTag]() { return "DOMException" } })("e")',
    '{ name: error.name, message: error.message }',
  ],
]

/** Another realm, that has the platform's objects as guests. */
const realm = vm.createContext({ URLSearchParams, Headers, Blob, File, DOMException })
const REALMS: [where: string, make: (text: string) => object][] = [
  ['this realm', (text) => vm.runInThisContext(`(${text})`)],
  ['another realm', (text) => vm.runInContext(`(${text})`, realm)],
]

const stream = createHub().stream<Record<string, unknown>>('built-ins', { limit: false })

function codeOf(data: object): unknown {
  const result = stream.tryPublish(data as Record<string, unknown>)
  return result.ok ? result.message.data : [result.code, result.error.message]
}

describe.each(REALMS)('a built-in of %s that JSON would empty', (_, make) => {
  test.each(REFUSED)('is refused with advice, at the root and nested: %s', (text, advice) => {
    for (const [data, path] of [
      [make(text), '$'],
      [{ a: [0, make(text)] }, '$.a[1]'],
    ] as const) {
      const [code, message] = codeOf(data) as [string, string]
      expect(code).toBe('INVALID_DATA')
      expect(message).toContain(advice)
      expect(message).toContain(`at ${path}.`)
    }
  })

  test.each(REFUSED)('passes when it has a toJSON: %s', (text) => {
    const value = Object.assign(make(text), { toJSON: () => ({ written: true }) })
    expect(codeOf(value)).toEqual({ written: true })
    expect(codeOf({ a: [value] })).toEqual({ a: [{ written: true }] })
  })

  test.each([
    ['new (class { get [Symbol.toStringTag]() { return "Map" } a = 1 })()', { a: 1 }],
    ['new (class { get [Symbol.toStringTag]() { return "RegExp" } a = 1 })()', { a: 1 }],
    ['new (class { get [Symbol.toStringTag]() { return "ArrayBuffer" } a = 1 })()', { a: 1 }],
    ['new (class { get [Symbol.toStringTag]() { return "WeakMap" } a = 1 })()', { a: 1 }],
    ['new (class { get [Symbol.toStringTag]() { return "WeakSet" } a = 1 })()', { a: 1 }],
    ['Object.assign(Object.create(Map.prototype), { a: 1 })', { a: 1 }],
    ['Object.assign(Object.create(null), { [Symbol.toStringTag]: "Headers", a: 1 })', { a: 1 }],
    ['Object.assign(Object.create(null), { a: 1 })', { a: 1 }],
  ])('passes when it only claims to be one: %s', (text, json) => {
    expect(codeOf(make(text))).toEqual(json)
    expect(codeOf({ a: make(text) })).toEqual({ a: json })
  })

  test.each([
    ['Object(5)', 5],
    ['Object("text")', 'text'],
    ['Object(true)', true],
    ['new (class extends Number {})(5)', 5],
    ['Object(Symbol())', {}],
  ])('is written as JSON does when it boxes a primitive: %s', (text, json) => {
    expect(codeOf({ a: make(text) })).toEqual({ a: json })
  })

  test('is refused when it boxes a BigInt, as JSON does', () => {
    expect(codeOf({ a: make('Object(5n)') })).toEqual(['INVALID_DATA', expect.stringContaining('$.a')])
  })
})

test.each([
  [new (class extends Map {})(), 'A Map (write Object.fromEntries(map))'],
  [new WeakSet(), 'A WeakSet (write its values)'],
  [new SharedArrayBuffer(1), 'A SharedArrayBuffer (write a string of its bytes)'],
  [new ArrayBuffer(1), 'An ArrayBuffer (write a string of its bytes)'],
  [new TypeError('e'), 'An Error (write { name: error.name, message: error.message })'],
  [new Int8Array(1), 'A typed array (write Array.from(array), or a string of its bytes)'],
])('a refused built-in is named: %o', (value, reason) => {
  const message = `${reason} at $.a. (stream "built-ins" of hub "default")`
  expect(codeOf({ a: value })).toEqual(['INVALID_DATA', message])
})

test('a subclass of a built-in is told whatever it calls itself', () => {
  class Registry extends Map {
    override readonly [Symbol.toStringTag] = 'Registry'
  }
  expect(codeOf({ a: new Registry() })).toEqual(['INVALID_DATA', expect.stringContaining('A Map (')])
})

test('a chain of prototypes without an end is followed a few steps only', () => {
  let steps = 0
  const endless: object = new Proxy(
    { a: 1 },
    {
      getPrototypeOf: () => {
        if (++steps > 1_000) throw new Error('followed for ever')
        return endless
      },
    },
  )
  expect(codeOf({ endless })).toEqual({ endless: { a: 1 } })
})

test.each([
  [Buffer.from('a'), { type: 'Buffer', data: [97] }],
  [new Date(0), '1970-01-01T00:00:00.000Z'],
  [new URL('http://a'), 'http://a/'],
])('a built-in passes that JSON knows how to write: %o', (value, json) => {
  expect(codeOf({ a: value })).toEqual({ a: json })
})

describe('a root that is no object', () => {
  test.each<[unknown, string]>([
    [[1], 'an array: write { items: […] }'],
    ['text', 'a string: write { value: … }'],
    [5, 'a number: write { value: … }'],
    [5n, 'a bigint: write { value: … }'],
    [true, 'a boolean: write { value: … }'],
    [null, 'null: write {} for a message without content'],
    [undefined, 'undefined: write {} for a message without content'],
    [new Date(0), 'a string: write { value: … }'],
    [Object('text'), 'a string: write { value: … }'],
    [{ toJSON: () => [1] }, 'an array: write { items: […] }'],
    [() => 1, 'a function'],
    [Symbol('s'), 'a symbol'],
  ])('is refused, and the message says what it was and what to write: %o', (data, text) => {
    const message = `The root must be an object; this is ${text}. (stream "built-ins" of hub "default")`
    expect(codeOf(data as object)).toEqual(['INVALID_DATA', message])
  })
})

describe('where Object.prototype is frozen', () => {
  const SCRIPT = `
    import { createHub } from './src/index.ts'
    Object.freeze(Object.prototype)
    const stream = createHub().stream('s')
    const data = JSON.parse('{"toString":"a","valueOf":1,"hasOwnProperty":{"b":[true]},"constructor":"c"}')
    const message = stream.publish(data)
    console.log(JSON.stringify([message.data, Object.isFrozen(message.data)]))
  `

  test('a key that it has passes', async () => {
    const tsx = pathToFileURL(`${ROOT}/node_modules/tsx/dist/esm/index.mjs`).href
    const source = ['--conditions=@rivulet/source', '--import', tsx]
    const { stdout } = await execa('node', [...source, '--input-type=module', '-e', SCRIPT], { cwd: ROOT })
    expect(JSON.parse(stdout)).toEqual([
      { toString: 'a', valueOf: 1, hasOwnProperty: { b: [true] }, constructor: 'c' },
      true,
    ])
  })
})
