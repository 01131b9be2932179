import vm from 'node:vm'
import {
  createHub,
  type ErrorCode,
  type Hub,
  openHub,
  RivuletError,
  type Stream,
  type StreamOptions,
} from 'rivulet'
import { throwError } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { schemaOf } from '../support/schemas.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

const PLACE = { stream: 'errors', hub: 'default' }
const thrown = new Error('thrown')
const NO_ROOM = { limit: { ratePerSecond: 0, burst: 1 }, maxWaiting: 0 } as const

function open(options: StreamOptions = {}): Stream {
  return createHub({ nowMs: () => 0 }).stream('errors', options) as Stream
}

/** Gives what the action throws or rejects with. */
async function errorOf(action: () => unknown): Promise<RivuletError> {
  try {
    await action()
  } catch (error) {
    if (RivuletError.is(error)) return error
    throw error
  }
  throw new Error('Nothing was thrown.')
}

function throwing(): never {
  throw thrown
}

/** A stream whose bucket is full, with a message a second. */
function full(options: StreamOptions = {}): Stream {
  const stream = open({ limit: { ratePerSecond: 1, burst: 1 }, ...options })
  stream.publish({})
  return stream
}

function endedReady(): Promise<void> {
  const subscription = open().subscribe(() => {})
  subscription.unsubscribe()
  return subscription.ready
}

function refusedReady(): Promise<void> {
  const transport = new ScriptedTransport()
  transport.answers.join = new Error('denied')
  const hub = createHub({ transport })
  hub.on('error', () => {})
  return hub.stream('errors').subscribe(() => {}).ready
}

/** Two publishers speak on a stream of a hub that remembers one. */
async function tooManyPublishers(): Promise<never> {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport, maxPublishersPerStream: 1 })
  const stream = hub.stream('errors')
  const told = new Promise((resolve) => stream.on('error', resolve))
  await stream.subscribe(() => {}).ready
  for (const origin of ['0123456789abcdef', 'fedcba9876543210']) {
    const frame = `{"data":{},"sid":"TZ${origin}0000000000000001","t":0}`
    transport.host.receive('rivulet/default/errors' as never, frame)
  }
  throw await told
}

/** A hub that is the only one on its bus, in a process that has a parent to send to. */
async function aloneInFork(): Promise<never> {
  const wasForked = Object.getOwnPropertyDescriptor(process, 'send')
  const told = Symbol.for('rivulet.alone')
  Object.defineProperty(process, 'send', { value: () => {}, configurable: true })
  Reflect.deleteProperty(globalThis, told)
  try {
    const hub = await openHub('memory:alone')
    throw await new Promise((resolve) => hub.on('error', resolve)).finally(() => hub.close())
  } finally {
    Reflect.deleteProperty(process, 'send')
    Reflect.deleteProperty(globalThis, told)
    if (wasForked !== undefined) Object.defineProperty(process, 'send', wasForked)
  }
}

/** Another process has a later edition. */
async function newerFormat(): Promise<never> {
  const transport = new ScriptedTransport()
  const stream = createHub({ transport }).stream('errors')
  const told = new Promise((resolve) => stream.on('error', resolve))
  await stream.subscribe(() => {}).ready
  transport.host.receive('rivulet/default/errors' as never, '{"v":2}')
  throw await told
}

function refusedHub(): Hub {
  const transport = new ScriptedTransport()
  transport.answers.open = new RivuletError('TRANSPORT_FAILED', 'Wrong password.')
  const hub = createHub({ transport, name: 'fleet' })
  hub.on('error', () => {})
  return hub
}

interface Case {
  fails(): unknown
  /** A text, or what matches it. */
  readonly message: unknown
  readonly fields: object
}

/** A missing package is shown in a process of its own: test/hub/open.test.ts. */
const cases: Record<Exclude<ErrorCode, 'TRANSPORT_MISSING'>, Case> = {
  INVALID_DATA: {
    fails: () => open().publish({ a: { b: [0, 1, 2, 5n] } }),
    message: 'A BigInt at $.a.b[3]. (stream "errors" of hub "default")',
    fields: { path: '$.a.b[3]', reason: 'A BigInt', ...PLACE },
  },
  PAYLOAD_TOO_LARGE: {
    fails: () => open().publish({ a: 'é'.repeat(2600) }),
    message:
      'Payload is 5208 bytes, the limit is 4096; send a reference instead, or split it. (stream "errors" of hub "default")',
    fields: { bytes: 5208, maxBytes: 4096, atLeast: false, ...PLACE },
  },
  RATE_LIMITED: {
    fails: () => full().publish({}),
    message:
      'The stream is at its rate limit; retry after 1000 ms, or use publishWhenReady or publishLatest. (stream "errors" of hub "default")',
    fields: { retryAfterMs: 1000, ...PLACE },
  },
  SCHEMA_MISMATCH: {
    fails: () =>
      open({
        schema: schemaOf(() => ({ issues: [{ message: 'No such truck', path: ['trucks', 1] }] })),
      }).publish({}),
    message: `The data does not match the stream's schema: No such truck at $.trucks[1]. (stream "errors" of hub "default")`,
    fields: {
      path: '$.trucks[1]',
      reason: 'No such truck at $.trucks[1]',
      issues: [{ message: 'No such truck', path: ['trucks', 1] }],
      ...PLACE,
    },
  },
  INVALID_NAME: {
    fails: () => createHub().stream('x'.repeat(321)),
    message: 'A stream name has 1 to 320 UTF-16 units, this one has 321; shorten it.',
    fields: {},
  },
  INVALID_OPTIONS: {
    fails: () => open({ maxBytes: 65_537 }),
    message: 'maxBytes is a whole number from 2 to 65536, not 65537.',
    fields: {},
  },
  TOO_MANY_PUBLISHERS: {
    fails: tooManyPublishers,
    message: expect.stringContaining(
      'More than 1 publishers published within a minute, so the one that was silent longest was evicted: its repeats, gaps and late messages are not detected. Raise maxPublishersPerStream of the hub.',
    ),
    fields: PLACE,
  },
  NEWER_FORMAT: {
    fails: newerFormat,
    message:
      'Unreadable: newer format. Another process publishes with a later edition of Rivulet; update this one. The ledger counts such messages as dropped.newerFormat. (stream "errors" of hub "default")',
    fields: PLACE,
  },
  STREAM_OPTIONS_CONFLICT: {
    fails: () => {
      const hub = createHub()
      hub.stream('once', { maxBytes: 100 })
      hub.stream('once', { maxBytes: 200 })
    },
    message:
      'The stream is open with another maxBytes; close it first, or leave the option out. (stream "once" of hub "default")',
    fields: { stream: 'once', hub: 'default' },
  },
  STREAM_CLOSED: {
    fails: () => {
      const stream = open()
      stream.close()
      stream.publish({})
    },
    message: 'The stream is closed; open it again with hub.stream(name). (stream "errors" of hub "default")',
    fields: PLACE,
  },
  HUB_CLOSED: {
    fails: async () => {
      const hub = createHub()
      await hub.close()
      hub.stream('late')
    },
    message: 'The hub is closed; create another one. (hub "default")',
    fields: { hub: 'default' },
  },
  QUEUE_FULL: {
    fails: () => full({ maxWaiting: 0 }).publishWhenReady({}),
    message:
      '0 messages are waiting already; publish less, or raise maxWaiting. (stream "errors" of hub "default")',
    fields: { maxWaiting: 0, ...PLACE },
  },
  LOST: {
    fails: async () => {
      const transport = new ScriptedTransport()
      transport.answers.open = 'hang'
      return createHub({ transport }).stream('errors').publishConfirmed({})
    },
    message:
      'The message did not reach the broker (offline): the broker was away; publish again once hub.status is up. (stream "errors" of hub "default")',
    fields: { reason: 'offline', sid: expect.stringMatching(/^TZ[0-9a-f]{32}$/), ...PLACE },
  },
  UNCONFIRMED: {
    fails: async () => {
      const transport = new ScriptedTransport()
      const hub = createHub({ transport })
      hub.on('error', () => {})
      await hub.ready()
      transport.answers.flush = 'hang'
      const confirmed = hub.stream('errors').publishConfirmed({})
      setTimeout(() => transport.host.down(thrown))
      return confirmed
    },
    message:
      'The broker did not confirm the message; it may have arrived. (stream "errors" of hub "default")',
    fields: { cause: thrown, sid: expect.stringMatching(/^TZ[0-9a-f]{32}$/), ...PLACE },
  },
  LISTENER_FAILED: {
    fails: () => {
      const stream = open()
      stream.subscribe(() => {
        throw thrown
      })
      let told: unknown
      stream.on('error', (error) => {
        told = error
      })
      stream.publish({})
      throw told
    },
    message: 'A subscriber threw: thrown (stream "errors" of hub "default")',
    fields: { cause: thrown, ...PLACE },
  },
  SOURCE_FAILED: {
    fails: () => {
      const stream = open()
      let told: unknown
      stream.on('error', (error) => {
        told = error
      })
      throwError(() => thrown).subscribe(stream.subject)
      throw told
    },
    message: 'A source of the subject failed: thrown (stream "errors" of hub "default")',
    fields: { cause: thrown, ...PLACE },
  },
  ALONE_IN_PROCESS: {
    fails: aloneInFork,
    message:
      'This process was forked, and memory: reaches no other process; no other hub is there. Use nats:, mqtt: or redis: between processes, or add ?alone=true to the URL if it is meant so. (hub "default")',
    fields: { hub: 'default' },
  },
  TRANSPORT_UNAVAILABLE: {
    fails: () => {
      const transport = new ScriptedTransport()
      transport.answers.open = new Error('no route')
      return openHub({ transport, name: 'fleet' }, { timeoutMs: 20 })
    },
    message: expect.stringMatching(
      /^The transport was not up within 20 ms; check its address [^(]* Last: No connection over scripted: no route\. Trying again\. \(hub "fleet"\)$/,
    ),
    fields: {
      hub: 'fleet',
      cause: expect.objectContaining({ code: 'TRANSPORT_UNAVAILABLE', cause: new Error('no route') }),
    },
  },
  TRANSPORT_FAILED: {
    fails: () => {
      const transport = new ScriptedTransport()
      transport.answers.open = new RivuletError('TRANSPORT_FAILED', 'Wrong password; check the credentials.')
      return openHub({ transport, name: 'fleet' })
    },
    message: 'Wrong password; check the credentials. (hub "fleet")',
    fields: { hub: 'fleet' },
  },
}

describe('a RivuletError', () => {
  test.each(Object.entries(cases))(
    'of code %s says what happened, the numbers, and what to do',
    async (code, { fails, message, fields }) => {
      const error = await errorOf(fails)
      expect(error.code).toBe(code)
      expect(error.message).toEqual(message)
      expect(error).toMatchObject(fields)
      expect(error).toBeInstanceOf(RivuletError)
      expect(error.name).toBe('RivuletError')
    },
  )

  test.each<[string, () => unknown, object]>([
    ['ready of a subscription that has ended', () => endedReady(), { ...PLACE, code: 'STREAM_CLOSED' }],
    ['ready of a refused join', () => refusedReady(), { ...PLACE, code: 'TRANSPORT_FAILED' }],
    [
      'ready of a hub that is refused',
      () => refusedHub().ready(),
      { hub: 'fleet', code: 'TRANSPORT_FAILED' },
    ],
  ])('names the stream and the hub in its fields and its text: %s', async (_, fails, fields) => {
    const error = await errorOf(fails)
    expect(error).toMatchObject(fields)
    if (error.stream !== undefined) expect(error.message).toContain(`stream "${error.stream}"`)
    expect(error.message).toContain(`hub "${error.hub}"`)
  })

  test('tells a lower bound where the exact size was not measured', async () => {
    const error = await errorOf(() => open().publish({ a: 'x'.repeat(5202) }))
    expect(error.message).toBe(
      'Payload is at least 5210 bytes, the limit is 4096; send a reference instead, or split it. (stream "errors" of hub "default")',
    )
    expect(error.atLeast).toBe(true)
  })

  test('tells an asynchronous schema what to do', async () => {
    const error = await errorOf(() => open({ schema: schemaOf(async (value) => ({ value })) }).publish({}))
    expect(error.code).toBe('INVALID_OPTIONS')
    expect(error.message).toBe(
      'The schema validates asynchronously; give the stream one that validates synchronously. (stream "errors" of hub "default")',
    )
  })

  test('has no fields but those of its code and the names', async () => {
    const error = await errorOf(() => full().publish({}))
    expect(Object.keys(error).sort()).toEqual(['code', 'hub', 'name', 'retryAfterMs', 'stream'])
    expect('cause' in error).toBe(false)
    const ofHub = await errorOf(() => refusedHub().ready())
    expect(Object.keys(ofHub).sort()).toEqual(['code', 'hub', 'name'])
  })

  test.each<[unknown, string]>([
    ['x'.repeat(500), JSON.stringify('x'.repeat(80))],
    [() => 1, 'a function'],
    [{ a: 1 }, 'an object'],
    [null, 'null'],
    [10n ** 500n, `1${'0'.repeat(79)}`],
    [Symbol('s'), 'Symbol(s)'],
  ])('shows the given value of an option, and only the beginning of a long one: %o', (given, text) => {
    const message = `acceptRemoval is true or false, not ${text}.`
    const options = { acceptRemoval: given } as object
    expect(() => createHub(options)).toThrow(expect.objectContaining({ message }))
  })

  test.each<[string, unknown, string]>([
    ['an error', new TypeError('thrown'), 'thrown'],
    ['an error of another realm', vm.runInNewContext('new Error("far")'), 'far'],
    ['an object with a message', { message: 'no error' }, 'no error'],
    ['an object whose message is no text', { message: 5 }, 'an object'],
    ['an object whose message throws', Object.defineProperty({}, 'message', { get: throwing }), 'an object'],
    ['a text', 'text', '"text"'],
    ['a function', () => 1, 'a function'],
    ['a number', 5, '5'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
  ])('tells what a subscriber threw: %s', (_, cause, text) => {
    const stream = open()
    const told: unknown[] = []
    stream.on('error', ({ message }) => told.push(message))
    stream.subscribe(() => {
      throw cause
    })
    stream.publish({})
    expect(told).toEqual([`A subscriber threw: ${text} (stream "errors" of hub "default")`])
  })

  test('keeps what user code threw as its cause', async () => {
    const cause = new Error('from the getter')
    const error = await errorOf(() =>
      open().publish({
        get a() {
          throw cause
        },
      }),
    )
    expect(error.cause).toBe(cause)
    expect(error.message).toBe('Reading the data threw at $.a. (stream "errors" of hub "default")')
  })

  // RELIABILITY 77
  test('shows nothing of the data', async () => {
    const secret = 'hunter2'
    const tooLarge = await errorOf(() => open().publish({ a: secret.repeat(1000) }))
    const invalid = await errorOf(() => open().publish({ a: [secret, 5n] }))
    for (const error of [tooLarge, invalid])
      expect(error.message + JSON.stringify(error)).not.toContain(secret)
  })
})

describe('RivuletError.is', () => {
  test('tells an error of this library from anything else', () => {
    expect(RivuletError.is(new RivuletError('INVALID_NAME', 'm'))).toBe(true)
    expect(Reflect.get(new RivuletError('INVALID_NAME', 'm'), Symbol.for('rivulet.error'))).toBe(true)
    for (const other of [new Error('m'), { code: 'INVALID_NAME' }, null, undefined, 'text', 5, () => 1]) {
      expect(RivuletError.is(other)).toBe(false)
    }
  })

  test('takes what cannot be looked at for none', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(RivuletError.is(proxy)).toBe(false)
  })

  test('knows an error that another copy of the library made', () => {
    const copy = vm.runInNewContext(`
      class RivuletError extends Error {
        code = 'RATE_LIMITED'
        get [Symbol.for('rivulet.error')]() { return true }
      }
      new RivuletError('from the other copy')
    `)
    expect(copy).not.toBeInstanceOf(RivuletError)
    expect(RivuletError.is(copy)).toBe(true)
  })

  test('knows the errors of subclasses', () => {
    expect(RivuletError.is(new (class extends RivuletError {})('INVALID_NAME', 'm'))).toBe(true)
  })
})

describe('a refusal', () => {
  test('is a value with the code, the wait, and the error', () => {
    const result = full().tryPublish({})
    expect(result.ok).toBe(false)
    if (result.ok) return
    expect(result.code).toBe('RATE_LIMITED')
    expect(result.retryAfterMs).toBe(1000)
    expect(result.error).toBeInstanceOf(RivuletError)
    expect(result.error).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1000 })
  })

  test('has no wait when waiting would not help', () => {
    const result = open().tryPublish([])
    expect(result).toMatchObject({ ok: false, code: 'INVALID_DATA', retryAfterMs: undefined })
  })

  test('makes its error when it is read, and one only', () => {
    const stream = full()
    const results = [1, 2].map(function refuseHere() {
      return stream.tryPublish({})
    })
    const [error, other] = results.map(function readHere(result) {
      return result.ok ? undefined : result.error
    })
    // A stack shows where it was captured: at the read, not at the refusal.
    expect(error?.stack).toContain('readHere')
    expect(error?.stack).not.toContain('refuseHere')
    expect(results[0]?.ok === false && results[0].error).toBe(error)
    expect(other).not.toBe(error)
  })

  test.each<[string, StreamOptions, unknown]>([
    ['rate', NO_ROOM, {}],
    ['data', {}, { a: 5n }],
    ['size', {}, { a: 'x'.repeat(5000) }],
    ['schema', { schema: schemaOf(() => ({ issues: [] })) }, {}],
  ])('for its %s captures no stack', (_, options, data) => {
    const stream = open(options)
    if (options.limit) stream.publish({})
    const kept = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')
    let result: ReturnType<Stream['tryPublish']>
    // With the limit at 0 while it is refused, only an error that is made afterwards has a stack.
    Error.stackTraceLimit = 0
    try {
      result = stream.tryPublish(data as object)
    } finally {
      Object.defineProperty(Error, 'stackTraceLimit', kept as PropertyDescriptor)
    }
    expect(result.ok === false && result.error.stack).toMatch(/\n\s+at /)
  })
})
