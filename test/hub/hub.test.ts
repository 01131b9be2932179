import { createHub, type Hub, RivuletError, type Stream } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { topicOf } from '../../src/message/topic.ts'
import { passUntil, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws, flatten, sumOfLedgers } from '../support/ledger-laws.ts'
import { schemaOf } from '../support/schemas.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

function linked(transport = new ScriptedTransport()): { hub: Hub; transport: ScriptedTransport } {
  const hub = createHub({ transport })
  hub.on('error', () => {})
  return { hub, transport }
}

describe('createHub', () => {
  test('is synchronous, and without a transport the hub is local at once', () => {
    const hub = createHub()
    expect([hub.status, hub.name]).toEqual(['local', 'default'])
  })

  test('starts opening the transport at once', () => {
    const { hub, transport } = linked()
    expect(transport.opens).toHaveLength(1)
    expect(hub.status).toBe('opening')
  })

  test('reads the time from nowMs', () => {
    let nowMs = 0
    const stream = createHub({ nowMs: () => nowMs }).stream('clock', {
      limit: { ratePerSecond: 1, burst: 1 },
    })
    stream.publish({})
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: 1000 })
    nowMs = 1000
    expect(stream.budget()).toEqual({ available: 1, retryAfterMs: 0 })
  })
})

describe('an option that there is not', () => {
  test.each<[string, (hub: Hub, options: object) => unknown]>([
    ['ready', (hub, options) => hub.ready(options)],
    ['flush', (hub, options) => hub.flush(options)],
    ['tap', (hub, options) => hub.tap(() => {}, options)],
  ])('is refused by %s', async (method, call) => {
    const { hub } = linked()
    await expect(async () => call(hub, { sginal: 1 })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: `There is no ${method} option "sginal"; there are signal.`,
    })
  })
})

describe('hub.stream', () => {
  test('opens a stream on first use, and gives the same object for the same name', () => {
    const hub = createHub()
    const stream = hub.stream('a')
    expect(stream.name).toBe('a')
    expect(hub.stream('a')).toBe(stream)
    expect(hub.stream('b')).not.toBe(stream)
  })

  test('takes the same options again, also in part', () => {
    const schema = schemaOf((value) => ({ value }))
    const hub = createHub()
    const options = { schema, maxBytes: 100, limit: { ratePerSecond: 5, burst: 6 } }
    const stream = hub.stream('a', options)
    for (const again of [
      undefined,
      {},
      options,
      { schema },
      { maxBytes: 100 },
      { limit: { burst: 6 } },
      { ttlSeconds: 0 },
    ]) {
      expect(again === undefined ? hub.stream('a') : hub.stream('a', again)).toBe(stream)
    }
  })

  test.each<[string, object]>([
    ['maxBytes', { maxBytes: 200 }],
    ['limit', { limit: { burst: 7 } }],
    ['limit', { limit: { scope: 'process' } }],
    ['limit', { limit: false }],
    ['maxWaiting', { maxWaiting: 1 }],
    ['ttlSeconds', { ttlSeconds: 1 }],
    ['batch', { batch: false }],
    ['maxAgeMs', { maxAgeMs: false }],
    ['idleTtlSeconds', { idleTtlSeconds: 1 }],
  ])('refuses another %s given later: STREAM_OPTIONS_CONFLICT', (name, later) => {
    const hub = createHub()
    const schema = schemaOf((value) => ({ value }))
    hub.stream('a', { schema, maxBytes: 100, limit: { burst: 6 } })
    const refusal = expect.objectContaining({
      code: 'STREAM_OPTIONS_CONFLICT',
      message: expect.stringContaining(`another ${name}; close it first, or leave the option out.`),
    })
    expect(() => hub.stream('a', later)).toThrow(refusal)
  })

  test('refuses a limit without a stream for it, and wrong options among right ones', () => {
    const hub = createHub()
    hub.stream('a', { limit: false })
    expect(() => hub.stream('a', { limit: { burst: 30 } })).toThrow('limit')
    expect(() => hub.stream('a', { maxBytes: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    )
  })

  test.each<[string, (stream: Stream) => void]>([
    ['closed', (stream) => stream.close()],
    ['removed', (stream) => stream.remove()],
  ])('gives a new stream with a new origin after the old one was %s', (_, end) => {
    const hub = createHub()
    const old = hub.stream('a', { maxBytes: 100 })
    const oldSid = old.publish({}).sid
    end(old as Stream)
    const stream = hub.stream('a', { maxBytes: 200 })
    expect(stream).not.toBe(old)
    const { sid } = stream.publish({})
    expect(sid.slice(0, 18)).not.toBe(oldSid.slice(0, 18))
    expect(() => old.publish({})).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
  })
})

describe('hub.streams', () => {
  test('iterates the open streams, and takes closing them meanwhile', () => {
    const hub = createHub()
    const [a, b, c] = ['a', 'b', 'c'].map((name) => hub.stream(name)) as [Stream, Stream, Stream]
    b.close()
    expect([...hub.streams()]).toEqual([a, c])
    for (const stream of hub.streams()) stream.close()
    expect([...hub.streams()]).toEqual([])
  })
})

describe('hub.status', () => {
  test('goes from opening to up, down, up and closed, and tells each as an event', async () => {
    const { hub, transport } = linked()
    const seen: unknown[] = []
    hub.on('status', (status, { failedAttempts }) => seen.push([status, hub.status, failedAttempts]))
    await hub.ready()
    transport.host.down(new Error('gone'))
    await tick()
    expect(hub.status).toBe('down')
    await passUntil(hub.ready())
    await passUntil(hub.close())
    expect(seen).toMatchObject([
      ['up', 'up', 0],
      ['down', 'down', expect.any(Number)],
      ['up', 'up', expect.any(Number)],
      ['closed', 'closed', expect.any(Number)],
    ])
  })

  test('of a local hub goes to closed, and tells it', async () => {
    const hub = createHub()
    const seen = vi.fn()
    hub.on('status', seen)
    await hub.close()
    expect(seen.mock.calls).toEqual([['closed', { failedAttempts: 0 }]])
    expect(hub.status).toBe('closed')
  })
})

describe('hub.ready', () => {
  test('resolves at once when local, and when up', async () => {
    await createHub().ready()
    const { hub } = linked()
    await hub.ready()
    expect(hub.status).toBe('up')
    await hub.ready()
  })

  test('waits through failed attempts', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = new Error('not yet')
    const { hub } = linked(transport)
    const settled = vi.fn()
    const ready = hub.ready()
    ready.then(settled, settled)
    await tick()
    expect(settled).not.toHaveBeenCalled()
    transport.answers.open = 'resolve'
    await passUntil(ready)
    expect(transport.opens).toHaveLength(2)
  })

  // RELIABILITY 10
  test('rejects at once with the reason of a fatal refusal, also when asked later', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = new RivuletError('TRANSPORT_FAILED', 'Wrong password.')
    const { hub } = linked(transport)
    const refusal = { code: 'TRANSPORT_FAILED', message: expect.stringContaining('Wrong password.') }
    await expect(hub.ready()).rejects.toMatchObject(refusal)
    await expect(hub.ready()).rejects.toMatchObject(refusal)
  })

  test('rejects with the reason of its signal, aborted before or while it waits', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = 'hang'
    const { hub } = linked(transport)
    const reason = new Error('enough')
    await expect(hub.ready({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const ready = hub.ready({ signal: controller.signal })
    controller.abort(reason)
    await expect(ready).rejects.toBe(reason)
  })

  test('rejects with HUB_CLOSED when the hub is closed while it waits', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = 'hang'
    const { hub } = linked(transport)
    const ready = hub.ready()
    const closing = hub.close()
    await expect(ready).rejects.toMatchObject({ code: 'HUB_CLOSED' })
    await passUntil(closing)
  })
})

describe('hub.flush', () => {
  test('resolves at once on a local hub', async () => {
    await createHub().flush()
  })

  test('is a barrier: what was published before is confirmed when it resolves', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    transport.answers.flush = 'hang'
    const stream = hub.stream('a')
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    const flushed = vi.fn()
    const flush = hub.flush().then(flushed)
    await tick()
    vi.advanceTimersByTime(100)
    await tick()
    expect(stream.ledger()).toMatchObject({ inFlight: 2, confirmed: 0 })
    expect(flushed).not.toHaveBeenCalled()
    transport.flushes.at(-1)?.resolve()
    await flush
    expect(stream.ledger()).toMatchObject({ inFlight: 0, confirmed: 2 })
  })

  test('covers messages published before inside a running fan-out', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const stream = hub.stream<{ n: number }>('a')
    let flushed: Promise<unknown> | undefined
    stream.subscribe(({ data }) => {
      if (data.n > 1) return
      for (const n of [2, 3]) stream.publish({ n })
      flushed = hub.flush().then(() => stream.ledger())
    })
    stream.publish({ n: 1 })
    expect(transport.frames).toEqual([])
    expect(await passUntil(flushed as Promise<unknown>)).toMatchObject({ inFlight: 0, confirmed: 3 })
    expect(transport.frames.flat()).toHaveLength(3)
  })

  test('resolves when it is unconfirmed or lost instead', async () => {
    const { hub, transport } = linked()
    const stream = hub.stream('a')
    stream.publish({})
    await hub.flush()
    expect(stream.ledger()).toMatchObject({ inFlight: 0, lost: { offline: 1 } })
    await hub.ready()
    transport.answers.flush = 'hang'
    stream.publish({})
    await passUntil(hub.flush())
    expect(stream.ledger()).toMatchObject({ inFlight: 0, unconfirmed: 1 })
  })

  test('rejects with the reason of its signal', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    transport.answers.flush = 'hang'
    hub.stream('a').publish({})
    const controller = new AbortController()
    const flush = hub.flush({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(flush).rejects.toMatchObject({ message: expect.stringContaining('enough') })
    await expect(hub.flush({ signal: AbortSignal.abort(new Error('before')) })).rejects.toMatchObject({
      message: expect.stringContaining('before'),
    })
  })
})

describe('hub.ledger', () => {
  test('totals all streams, closed ones included', async () => {
    const hub = createHub()
    const streams = ['a', 'b', 'c'].map((name) => hub.stream(name))
    for (const [index, stream] of streams.entries()) {
      for (let count = 0; count <= index; count++) stream.publish({ count })
      stream.tryPublish([] as never)
    }
    const before = sumOfLedgers(streams.map((stream) => stream.ledger()))
    streams[1]?.close()
    expect(flatten(hub.ledger())).toEqual(before)
    expect(hub.ledger()).toMatchObject({ attempts: 9, accepted: 6, local: 6, refused: { invalidData: 3 } })
    expectLaws(hub.ledger())
  })

  test('counts on for a stream that is closed', () => {
    const hub = createHub()
    const stream = hub.stream('a')
    stream.close()
    stream.tryPublish({})
    expect(hub.ledger()).toMatchObject({ attempts: 1, refused: { closed: 1 } })
    expect(flatten(stream.ledger())).toEqual(flatten(hub.ledger()))
  })
})

test('counts frames of a topic that no stream has joined, at the hub', async () => {
  const { hub, transport } = linked()
  await hub.ready()
  transport.host.receive(topicOf('default', 'nobody'), '{"data":{}}')
  expect(hub.ledger()).toMatchObject({ received: 1, delivered: 0, dropped: { notJoined: 1 } })
  expectLaws(hub.ledger())
})

describe('hub.on', () => {
  test('report the removal of a stream, with its name', () => {
    const hub = createHub()
    const seen = vi.fn()
    hub.on('streamRemoved', seen)
    hub.stream('kept').close()
    hub.stream('gone').remove()
    expect(seen.mock.calls).toEqual([[{ name: 'gone', reason: 'removed', isLocal: true }]])
  })

  test('report the expiry of a stream', () => {
    const hub = createHub()
    const seen = vi.fn()
    hub.on('streamRemoved', seen)
    hub.stream('short', { ttlSeconds: 5 })
    vi.advanceTimersByTime(5000)
    expect(seen.mock.calls).toEqual([[{ name: 'short', reason: 'expired', isLocal: true }]])
  })

  test('report errors without a listener of the stream, and of the connection', async () => {
    const hub = createHub({ transport: new ScriptedTransport() })
    const seen: RivuletError[] = []
    hub.on('error', (error) => seen.push(error))
    await hub.ready()
    const thrown = new Error('subscriber')
    const heard = hub.stream('heard')
    heard.on('error', () => {})
    for (const stream of [hub.stream('unheard'), heard]) {
      stream.subscribe(() => {
        throw thrown
      })
      stream.publish({})
    }
    expect(seen).toMatchObject([
      { code: 'LISTENER_FAILED', stream: 'unheard', hub: 'default', cause: thrown },
    ])
  })

  test('calls no listener after off', () => {
    const hub = createHub()
    const seen = vi.fn()
    expect(hub.on('streamRemoved', seen).off('streamRemoved', seen)).toBe(hub)
    hub.stream('a').remove()
    expect(seen).not.toHaveBeenCalled()
  })

  test('calls a listener of once at one event only', () => {
    const hub = createHub()
    const seen = vi.fn()
    expect(hub.once('streamRemoved', seen)).toBe(hub)
    for (const name of ['a', 'b']) hub.stream(name).remove()
    expect(seen.mock.calls.map(([{ name }]) => name)).toEqual(['a'])
  })

  test('reports a listener that throws to its error event, one of error to the log', () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => logged.mockRestore())
    const hub = createHub()
    const seen: string[] = []
    hub.on('streamRemoved', () => {
      throw new Error('first')
    })
    hub.on('error', ({ message }) => {
      seen.push(message)
      throw new Error('second')
    })
    hub.stream('a').remove()
    expect(seen).toEqual(['A listener of "streamRemoved" threw: first (hub "default")'])
    const message = 'A listener of "error" threw: second (hub "default")'
    expect(logged.mock.calls).toEqual([[expect.any(String), expect.objectContaining({ message })]])
    expect(hub.ledger().listenerErrors).toBe(2)
  })

  test('is not affected by a listener that throws: it is counted and logged', () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => logged.mockRestore())
    const hub = createHub({ name: 'noisy' })
    const seen = vi.fn()
    const thrown = new Error('listener')
    hub.on('streamRemoved', () => {
      throw thrown
    })
    hub.on('streamRemoved', seen)
    hub.stream('a').remove()
    hub.stream('b').remove()
    expect(seen).toHaveBeenCalledTimes(2)
    expect(hub.ledger().listenerErrors).toBe(2)
    expect(logged.mock.calls).toEqual([
      [
        expect.stringContaining('no listener for the error event of the stream or the hub'),
        expect.objectContaining({ code: 'LISTENER_FAILED', hub: 'noisy', cause: thrown }),
      ],
    ])
  })

  // RELIABILITY 76
  test('is optional: without a listener errors are logged once a code', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => logged.mockRestore())
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    await hub.ready()
    const odd = Object.create(null) as Error
    for (const cause of [new Error('1'), new TypeError('2'), odd, 'text' as unknown as Error]) {
      transport.host.error(undefined, cause)
    }
    transport.host.down(new Error('gone'))
    await tick()
    expect(logged.mock.calls.map(([, error]) => [error.code, error.hub])).toEqual([
      ['TRANSPORT_FAILED', 'default'],
      ['TRANSPORT_UNAVAILABLE', 'default'],
    ])
  })

  test('is logged nowhere where there is no console', () => {
    const { console } = globalThis
    Reflect.deleteProperty(globalThis, 'console')
    onTestFinished(() => void Object.assign(globalThis, { console }))
    const transport = new ScriptedTransport()
    createHub({ transport })
    expect(() => transport.host.error(undefined, new Error('x'))).not.toThrow()
  })
})
