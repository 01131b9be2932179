import { createHub, type Hub, type HubOptions, openHub, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { DEFAULT_OPTIONS, resolveOptions } from '../../src/state/options.ts'
import { schemaOf } from '../support/schemas.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

const resolve = (options?: unknown) => resolveOptions(options as StreamOptions, DEFAULT_OPTIONS)
const schema = schemaOf((value) => ({ value }))

function refuses(run: () => unknown, message: string | RegExp): void {
  expect(run).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) }),
  )
}

describe('the options of a stream', () => {
  test('are 4096 bytes, 30 a second, 30 at once, 1000 waiting, 5000 ms by default', () => {
    expect(resolve()).toEqual({
      schema: undefined,
      maxBytes: 4096,
      limit: { ratePerSecond: 30, burst: 30, scope: 'stream', publishers: 1 },
      maxWaiting: 1000,
      ttlSeconds: 0,
      idleTtlSeconds: 0,
      batch: true,
      maxAgeMs: 5000,
    })
  })

  test('are laid over the defaults, each by itself, also inside limit', () => {
    expect(resolve({ maxBytes: 100, limit: { burst: 5 } })).toEqual({
      ...DEFAULT_OPTIONS,
      maxBytes: 100,
      limit: { ratePerSecond: 30, burst: 5, scope: 'stream', publishers: 1 },
    })
    expect(resolve({ maxBytes: undefined, limit: undefined, schema: undefined })).toEqual(DEFAULT_OPTIONS)
    const unlimited = resolve({ limit: false })
    expect(unlimited.limit).toBe(false)
    expect(resolveOptions({ limit: { burst: 2 } }, unlimited).limit).toEqual({
      ratePerSecond: 30,
      burst: 2,
      scope: 'stream',
      publishers: 1,
    })
    expect(resolveOptions({ maxBytes: 2 }, unlimited).limit).toBe(false)
    const slow = resolve({ limit: { ratePerSecond: 5, scope: 'process' } })
    expect(resolveOptions({ limit: { burst: 2 } }, slow).limit).toEqual({ ...slow.limit, burst: 2 })
  })

  test('are copied and frozen; the object of the caller is not written to', () => {
    const given = Object.freeze({ limit: Object.freeze({ burst: 3 }) })
    const resolved = resolve(given)
    expect(Object.isFrozen(resolved) && Object.isFrozen(resolved.limit)).toBe(true)
    expect(given).toEqual({ limit: { burst: 3 } })
  })

  test.each<[string, unknown]>([
    ['maxBytes', 2],
    ['maxBytes', 65_536],
    ['maxWaiting', 0],
    ['ttlSeconds', 0],
    ['ttlSeconds', 31_536_000],
    ['idleTtlSeconds', 0],
    ['idleTtlSeconds', 31_536_000],
    ['batch', false],
    ['maxAgeMs', false],
    ['maxAgeMs', 1],
    ['limit', false],
    ['limit', { ratePerSecond: 0, burst: 1, scope: 'process' }],
    ['limit', { ratePerSecond: 0.5, burst: 1.5, scope: 'stream' }], // RELIABILITY 70
    ['schema', schema],
    ['schema', Object.assign(() => {}, schema)],
  ])('may have %s %j', (name, value) => {
    expect(resolve({ [name]: value })).toMatchObject({ [name]: value })
  })

  test.each<[unknown, string]>([
    [null, 'The stream options are an object, not null.'],
    ['text', 'The stream options are an object, not "text".'],
    [[], 'The stream options are an object, not'],
    [
      { maxbytes: 5 },
      'There is no stream option "maxbytes"; there are schema, maxBytes, limit, maxWaiting, ttlSeconds, idleTtlSeconds, batch, maxAgeMs.',
    ],
    [JSON.parse('{"__proto__":{}}'), 'There is no stream option "__proto__"'], // RELIABILITY 52
    [{ constructor: 1 }, 'There is no stream option "constructor"'],
    [{ maxBytes: 1 }, 'maxBytes is a whole number from 2 to 65536, not 1.'],
    [{ maxBytes: 65_537 }, 'maxBytes is a whole number from 2 to 65536, not 65537.'],
    [{ maxBytes: 10.5 }, 'not 10.5.'],
    [{ maxBytes: Number.NaN }, 'not NaN.'],
    [{ maxBytes: '4096' }, 'not "4096".'],
    [{ maxBytes: null }, 'not null.'],
    [{ maxBytes: Object.create(null) }, 'not an object.'],
    [{ maxBytes: Symbol('many') }, 'not Symbol(many).'],
    [{ maxWaiting: -1 }, 'maxWaiting is a whole number from 0, not -1.'],
    [{ maxWaiting: Infinity }, 'not Infinity.'],
    [{ ttlSeconds: -1 }, 'ttlSeconds is a whole number from 0 to 31536000, not -1.'],
    [{ ttlSeconds: 31_536_001 }, 'not 31536001.'],
    [{ ttlSeconds: 0.5 }, 'not 0.5.'],
    [{ idleTtlSeconds: -1 }, 'idleTtlSeconds is a whole number from 0 to 31536000, not -1.'],
    [{ idleTtlSeconds: 31_536_001 }, 'not 31536001.'],
    [{ batch: 'no' }, 'batch is true or false, not "no".'],
    [{ batch: null }, 'batch is true or false, not null.'],
    [{ maxAgeMs: 0 }, 'maxAgeMs is a number from 1, not 0.'],
    [{ maxAgeMs: true }, 'maxAgeMs is a number from 1, not true.'],
    [{ limit: true }, 'limit is an object { ratePerSecond, burst, scope, publishers }, or false.'],
    [{ limit: null }, 'limit is an object { ratePerSecond, burst, scope, publishers }, or false.'],
    [
      { limit: { rate: 5 } },
      'There is no limit option "rate"; there are ratePerSecond, burst, scope, publishers.',
    ],
    [{ limit: { ratePerSecond: -1 } }, 'limit.ratePerSecond is a number from 0, not -1.'],
    [{ limit: { ratePerSecond: Number.NaN } }, 'not NaN.'],
    [{ limit: { burst: 0 } }, 'limit.burst is a number from 1, not 0.'],
    [{ limit: { burst: 0.5 } }, 'limit.burst is a number from 1, not 0.5.'],
    [{ limit: { publishers: 0 } }, 'limit.publishers is a whole number from 1, not 0.'],
    [{ limit: { publishers: 1.5 } }, 'not 1.5.'],
    [{ limit: { scope: 'hub' } }, `limit.scope is 'stream' or 'process', not "hub".`],
    [{ limit: { scope: Symbol('s') } }, 'not Symbol(s).'],
    [{ schema: 'zod' }, 'pass a Standard Schema validator'],
    [{ schema: null }, 'pass a Standard Schema validator'],
    [
      { schema: {} },
      'schema has no ["~standard"].validate; pass a Standard Schema validator, e.g. of zod or valibot.',
    ],
    [{ schema: { '~standard': {} } }, 'schema has no ["~standard"].validate'],
    [{ schema: () => true }, 'schema has no ["~standard"].validate'],
  ])('are refused when they are %j', (options, message) => {
    const escaped = message.replace(/[[\]{}()*+?.\\^$|]/g, '\\$&')
    refuses(() => resolve(options), escaped)
    refuses(() => createHub().stream('refused', options as StreamOptions), escaped)
    expect([...createHub().streams()]).toEqual([])
  })

  test('that close the hub while they are read open nothing', () => {
    const hub = createHub()
    const options = {
      get maxBytes() {
        void hub.close()
        return 100
      },
    }
    expect(() => hub.stream('s', options)).toThrow(expect.objectContaining({ code: 'HUB_CLOSED' }))
    expect([...hub.streams()]).toEqual([])
  })

  test('that open the stream while they are read give that one, or a conflict', () => {
    const hub = createHub()
    let inner: unknown
    const options = (maxBytes: number) => ({
      get maxBytes() {
        inner = hub.stream('s', { maxBytes: 100 })
        return maxBytes
      },
    })
    expect(hub.stream('s', options(100))).toBe(inner)
    hub.stream('s').close()
    expect(() => hub.stream('s', options(200))).toThrow(
      expect.objectContaining({ code: 'STREAM_OPTIONS_CONFLICT' }),
    )
    expect([...hub.streams()]).toEqual([inner])
  })

  test('are read once, so that a second answer does not get past the checks', () => {
    let reads = 0
    const resolved = resolve({
      get maxBytes() {
        return ++reads === 1 ? 100 : 1e9
      },
    })
    expect([resolved.maxBytes, reads]).toEqual([100, 1])
  })
})

describe('the options of a stream that is open', () => {
  const same = { ratePerSecond: 5, burst: 2 }
  class Schema {
    readonly #text: string
    constructor(text: string) {
      this.#text = text
    }
    get '~standard'() {
      return schemaOf(() => ({ value: this.#text }))['~standard']
    }
  }

  const close = (option: string) => `The stream is open with another ${option}; close it first, or leave`
  const share = 'The stream is open with another schema object. Make the schema once, in a constant outside'

  test.each<[what: string, first: StreamOptions, later: StreamOptions, message: string]>([
    ['number', { maxBytes: 100 }, { maxBytes: 101 }, close('maxBytes')],
    ['limit', { limit: same }, { limit: { ratePerSecond: 5, burst: 3 } }, close('limit')],
    ['limit, none', { limit: same }, { limit: false }, close('limit')],
    ['limit, the first', { limit: false }, { limit: same }, close('limit')],
    ['schema whose fields are the same', { schema }, { schema: { ...schema } }, share],
    [
      'schema whose fields are inherited',
      { schema: new Schema('a') as never },
      { schema: new Schema('b') as never },
      share,
    ],
    ['schema, the first', {}, { schema }, 'open without a schema; give it with the first call, or close'],
  ])('are in conflict with another %s', (_, first, later, message) => {
    const hub = createHub()
    const stream = hub.stream('s', first)
    expect(() => hub.stream('s', later)).toThrow(
      expect.objectContaining({
        code: 'STREAM_OPTIONS_CONFLICT',
        message: expect.stringContaining(message),
      }),
    )
    expect(hub.stream('s', { ...first })).toBe(stream)
    expect(hub.stream('s')).toBe(stream)
  })

  test('may be given again, the limit also in another object or in part', () => {
    const hub = createHub()
    const stream = hub.stream('s', { limit: same, schema })
    expect(hub.stream('s', { limit: { ...same }, schema })).toBe(stream)
    expect(hub.stream('s', { limit: { burst: 2 } })).toBe(stream)
  })
})

describe('the options of a hub', () => {
  test.each<[unknown, string]>([
    [null, 'The hub options are an object, not null.'],
    ['nats://localhost', 'for a URL: await openHub(url).'],
    [
      { Name: 'x' },
      'There is no hub option "Name"; there are name, transport, streamDefaults, streams, maxInFlightBytes, maxPublishersPerStream, maxPublishers, timeouts, acceptRemoval, nowMs.',
    ],
    [{ transport: 'nats://localhost' }, 'transport is a Transport object; for a URL use openHub.'],
    [{ transport: null }, 'transport is a Transport object; for a URL use openHub.'],
    [
      { transport: {} },
      'The transport has no open, send, join, leave, watch, flush, close, name, capabilities',
    ],
    [{ transport: { ...new ScriptedTransport(), open() {}, flush: 5 } }, 'The transport has no send, join,'],
    [
      { transport: Object.assign(new ScriptedTransport(), { capabilities: { maxFrameBytes() {} } }) },
      'The transport has no capabilities.scope, capabilities.echoes, capabilities.ordered, capabilities.watch;',
    ],
    [new Map(), 'The hub options are an object, not an object'],
    [{ streamDefaults: { maxBytes: 0 } }, 'maxBytes is'],
    [{ streams: [] }, 'streams is an object of stream options by stream name.'],
    [{ streams: { a: { burst: 5 } } }, 'There is no stream option "burst"'],
    [{ maxInFlightBytes: 0 }, 'maxInFlightBytes is a whole number from 1, not 0.'],
    [{ maxInFlightBytes: 1.5 }, 'not 1.5.'],
    [{ timeouts: 5_000 }, 'timeouts is an object { dialMs, openMs, joinMs, barrierMs, idleMs, closeMs }.'],
    [{ timeouts: { pingMs: 5 } }, 'There is no timeouts option "pingMs"; there are dialMs, openMs,'],
    ...['dialMs', 'openMs', 'joinMs', 'barrierMs', 'idleMs', 'closeMs'].flatMap((name): [unknown, string][] =>
      [0, 1.5, 2 ** 31, '1s'].map((value) => [
        { timeouts: { [name]: value } },
        `timeouts.${name} is a whole number from 1 to 2147483647, not ${typeof value === 'string' ? '"1s"' : value}.`,
      ]),
    ),
    [{ acceptRemoval: 'no' }, 'acceptRemoval is true or false, not "no".'],
    [{ nowMs: 5 }, 'nowMs is a function, not 5.'],
  ])('are refused when they are %j', (options, message) => {
    const escaped = message.replace(/[[\]{}()*+?.\\^$|]/g, '\\$&')
    refuses(() => createHub(options as HubOptions), escaped)
  })

  test('take timeouts at both ends of their range, and tell the transport of them', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport, timeouts: { dialMs: 1, idleMs: 2 ** 31 - 1, joinMs: undefined } })
    await hub.ready()
    expect(transport.host.timeouts).toEqual({
      dialMs: 1,
      openMs: 20_000,
      joinMs: 5_000,
      barrierMs: 2_000,
      idleMs: 2 ** 31 - 1,
      closeMs: 5_000,
    })
    await hub.close()
  })

  test('are checked before the transport is opened', () => {
    const transport = new ScriptedTransport()
    refuses(() => createHub({ transport, maxInFlightBytes: -1 }), 'maxInFlightBytes')
    refuses(() => createHub({ transport, streams: { x: { maxBytes: 0 } } }), 'maxBytes')
    expect(transport.opens).toEqual([])
  })

  test('give every stream its defaults, and a named one its own over them', () => {
    const hub = createHub({
      nowMs: () => 0,
      streamDefaults: { maxBytes: 20, limit: { burst: 2 } },
      streams: { wide: { maxBytes: 40 }, toString: { maxBytes: 10 } },
    })
    const fits = (name: string, bytes: number, options?: StreamOptions) =>
      hub.stream(name, options ?? {}).tryPublish({ a: 'x'.repeat(bytes - 8) }).ok
    expect([fits('any', 20), fits('other', 21)]).toEqual([true, false])
    expect([fits('wide', 40), fits('wide', 41)]).toEqual([true, false])
    expect([fits('toString', 10), fits('toString', 11), fits('valueOf', 20)]).toEqual([true, false, true])
    expect(hub.stream('wide').budget().available).toBe(1)
    expect(fits('third', 30, { maxBytes: 30 })).toBe(true)
  })

  test('are those of the call, whatever becomes of the object afterwards', () => {
    const streams: Record<string, StreamOptions> = { a: { maxBytes: 20 } }
    const hub = createHub({ streams })
    streams.a = { maxBytes: 65_536 }
    expect(hub.stream('a').tryPublish({ a: 'x'.repeat(20) }).ok).toBe(false)
  })

  test.each([
    ['', false],
    ['a', true],
    ['A-z_09', true],
    ['x'.repeat(64), true],
    ['x'.repeat(65), false],
    ['a.b', false],
    ['a b', false],
    ['a\n', false],
    ['é', false],
    ['a/b', false],
  ])('may have the name %j: %s', (name, isFine) => {
    if (isFine) expect(createHub({ name }).name).toBe(name)
    else expect(() => createHub({ name })).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
  })

  test('have a name that is a string', () => {
    for (const name of [5, 5n, null, {}, Symbol('s')]) {
      expect(() => createHub({ name: name as string })).toThrow(
        expect.objectContaining({ code: 'INVALID_NAME' }),
      )
    }
    expect(() => createHub({ name: 'a b' })).toThrow(
      'A hub name is 1 to 64 characters of A-Z a-z 0-9 _ -; choose another one.',
    )
  })

  test('have the name default when nothing is said', () => {
    expect(createHub().name).toBe('default')
  })
})

describe('the options of a call', () => {
  type Call = (target: { hub: Hub; stream: Stream }, options: never) => unknown
  const calls: [name: string, options: string, call: Call][] = [
    ['subscribe', 'signal', ({ stream }, options) => stream.subscribe(() => {}, options)],
    ['iterate', 'buffer, overflow, key, signal', ({ stream }, options) => stream.iterate(options)],
    ['publishWhenReady', 'signal', ({ stream }, options) => stream.publishWhenReady({}, options)],
    ['publishConfirmed', 'signal', ({ stream }, options) => stream.publishConfirmed({}, options)],
    ['publishLatest', 'key', ({ stream }, options) => stream.publishLatest({}, options)],
    ['ready', 'signal', ({ hub }, options) => hub.ready(options)],
    ['flush', 'signal', ({ hub }, options) => hub.flush(options)],
    ['openHub', 'signal, timeoutMs, wait', (_, options) => openHub('memory:options', options)],
  ]

  test.each(calls)(
    'of %s are refused when they are no object, or have a member but %s',
    async (name, known, call) => {
      const hub = createHub()
      const stream: Stream = hub.stream('s')
      for (const [options, message] of [
        [{ sginal: AbortSignal.abort() }, `There is no ${name} option "sginal"; there are ${known}.`],
        [JSON.parse('{"__proto__":{}}'), `There is no ${name} option "__proto__"`],
        [null, `The ${name} options are an object, not null.`],
        ['text', `The ${name} options are an object, not "text".`],
      ]) {
        // Through an async function, since some throw and others reject.
        await expect((async () => call({ hub, stream }, options as never))()).rejects.toMatchObject({
          code: 'INVALID_OPTIONS',
          message: expect.stringContaining(message),
        })
      }
      expect(stream.ledger()).toMatchObject({ attempts: 0, subscribers: 0 })
    },
  )
})

describe('a signal', () => {
  const listen = { addEventListener() {}, removeEventListener() {} }

  test.each<[unknown, string]>([
    [null, 'null'],
    ['text', '"text"'],
    [() => {}, 'a function'],
    [[], 'an object'],
    [{ aborted: false }, 'an object'],
    [listen, 'an object'],
    [{ aborted: false, ...listen, addEventListener: true }, 'an object'],
    // An end of what listens to it would throw.
    [{ aborted: false, ...listen, removeEventListener: undefined }, 'an object'],
  ])('is not %j', (signal, what) => {
    const stream = createHub().stream('s')
    refuses(
      () => stream.subscribe(() => {}, { signal } as never),
      new RegExp(`^signal is an AbortSignal, not ${what}`),
    )
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('may be of another implementation', () => {
    const stream = createHub().stream('s')
    stream.subscribe(() => {}, { signal: { aborted: false, ...listen } as never })
    expect(stream.ledger().subscribers).toBe(1)
  })
})

describe('the name of a stream', () => {
  // RELIABILITY 47, 48, 51
  test.each<[unknown, string]>([
    ['', 'A stream name has 1 to 320 UTF-16 units, this one has 0; name it.'],
    ['x'.repeat(321), 'this one has 321'],
    ['😀'.repeat(161), 'this one has 322'],
    ['a\ud800', 'The stream name has a lone surrogate; pass well-formed Unicode.'],
    ['\udc00\ud800', 'lone surrogate'],
    [`TZ${'0af9'.repeat(8)}`, 'has the form of a sid'],
    [5, 'A stream name is a string, not number.'],
    [undefined, 'A stream name is a string, not undefined.'],
    [new String('boxed'), 'A stream name is a string, not object.'],
  ])('is not %j: INVALID_NAME', (name, message) => {
    const refusal = expect.objectContaining({
      code: 'INVALID_NAME',
      message: expect.stringContaining(message),
    })
    expect(() => createHub().stream(name as string)).toThrow(refusal)
    if (typeof name === 'string') expect(() => createHub({ streams: { [name]: {} } })).toThrow(refusal)
  })

  // RELIABILITY 45, 47, 50, 52
  test.each([
    'x',
    'x'.repeat(320),
    '😀'.repeat(160),
    '__proto__',
    'constructor',
    'toString',
    '$SYS',
    '*',
    '>',
    'a\0b',
    '.',
    `tz${'0af9'.repeat(8)}`,
    `TZ${'0af9'.repeat(8)}0`,
    `xTZ${'0af9'.repeat(8)}`,
  ])('may be %j, and belongs to no other stream', (name) => {
    const hub = createHub()
    const stream = hub.stream<{ a: number }>(name)
    const heard: unknown[] = []
    stream.subscribe(({ data }) => heard.push(data))
    hub.stream('other').publish({ a: 2 })
    hub.stream(name).publish({ a: 1 })
    expect(heard).toEqual([{ a: 1 }])
    expect(hub.stream(name)).toBe(stream)
  })
})
