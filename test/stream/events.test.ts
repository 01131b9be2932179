import { runInNewContext } from 'node:vm'
import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { OTHER_ORIGIN, openScene, wire } from '../support/remote-scene.ts'
import { schemaOf } from '../support/schemas.ts'

stopTime()

describe('the events of a stream', () => {
  test('report every message after its fan-out, with isLocal', () => {
    const stream = createHub().stream('s')
    const log: unknown[] = []
    stream.on('messagePublished', ({ message, isLocal }) => log.push([message.data, isLocal]))
    stream.subscribe(() => log.push('subscriber'))
    stream.publish({ n: 1 })
    expect(log).toEqual(['subscriber', [{ n: 1 }, true]])
  })

  test('report a message from another process with isLocal false, and join no topic', async () => {
    const bus = memoryBus()
    const [here, there] = [1, 2].map(() => createHub({ transport: bus.transport() }))
    await Promise.all([here?.ready(), there?.ready()])
    const stream = here?.stream('s') as Stream
    const heard: boolean[] = []
    stream.on('messagePublished', ({ isLocal }) => heard.push(isLocal))
    there?.stream('s').publish({})
    await tick()
    expect(heard).toEqual([])
    await stream.subscribe(() => {}).ready
    there?.stream('s').publish({})
    await tick()
    expect(heard).toEqual([false])
  })

  test('report every refusal of every verb, with its code, and no accepted message', async () => {
    const stream = createHub().stream('s', { limit: { ratePerSecond: 0, burst: 1 }, maxWaiting: 0 })
    const codes: string[] = []
    stream.on('refused', (refusal) => codes.push(refusal.code))
    stream.tryPublish({ n: 1n } as never)
    stream.publish({})
    stream.tryPublish({})
    expect(() => stream.publish({})).toThrow()
    expect(() => stream.publishLatest({})).toThrow()
    await stream.publishWhenReady({}).catch(() => {})
    stream.subject.next({})
    expect(codes).toEqual([
      'INVALID_DATA',
      'RATE_LIMITED',
      'RATE_LIMITED',
      'QUEUE_FULL',
      'QUEUE_FULL',
      'RATE_LIMITED',
    ])
  })

  test('report losses: reason, count, and each sid', async () => {
    const hub = createHub({ transport: memoryBus().transport() })
    const stream = hub.stream('s')
    const lost: unknown[] = []
    stream.on('lost', (loss) => lost.push(loss))
    const sids = [stream.publish({}).sid, stream.publish({}).sid]
    await tick()
    expect(lost).toEqual([{ reason: 'offline', count: 2, sids }])
    expect(stream.ledger().lost).toEqual({ offline: 2, congested: 0, failed: 0 })
  })

  test('report messages received and not delivered, gathered for a tick, by reason', async () => {
    const scene = await openScene({ maxBytes: 20 })
    const dropped: unknown[] = []
    scene.stream.on('dropped', (drop) => dropped.push(drop))
    scene.receive([wire(1), wire(1), wire(2, undefined, OTHER_ORIGIN, { s: 'x'.repeat(20) })])
    for (let nth = 0; nth < 3; nth++) scene.receive('garbage')
    expect(dropped).toEqual([])
    await tick()
    const first = [
      { reason: 'duplicate', count: 1 },
      { reason: 'tooLarge', count: 1 },
      { reason: 'malformed', count: 3 },
    ]
    expect(dropped).toEqual(first)
    scene.receive('garbage')
    await tick()
    expect(dropped).toEqual([...first, { reason: 'malformed', count: 1 }])
    expectLaws(scene.ledger)
  })

  test.each<[string, StreamOptions, object, string]>([
    ['maxBytes', { maxBytes: 20 }, { s: 'x'.repeat(20) }, 'PAYLOAD_TOO_LARGE'],
    ['limit', { limit: { ratePerSecond: 0, burst: 1 } }, {}, 'RATE_LIMITED'],
    ['schema', { schema: schemaOf(() => ({ issues: [{ message: 'no' }] })) }, {}, 'SCHEMA_MISMATCH'],
  ])('tell once of what the own %s keeps out, and name it', async (option, options, data, code) => {
    const scene = await openScene(options)
    const errors: unknown[] = []
    scene.stream.on('error', (error) => errors.push(error))
    for (let nth = 1; nth <= 5; nth++) scene.receive(wire(nth, undefined, OTHER_ORIGIN, data))
    await tick()
    expect(errors).toMatchObject([
      { code, stream: 'scene', hub: 'default', message: expect.stringContaining(option) },
    ])
  })

  test('report no error when a message is dropped for no option of the stream', async () => {
    const scene = await openScene()
    for (const frame of [wire(1), wire(1), 'garbage', { removed: true }]) scene.receive(frame)
    await tick()
    expect(scene.ledger.dropped).toMatchObject({ duplicate: 1, malformed: 2 })
    expect(scene.errors).toEqual([])
  })

  test('report a removal: by remove, by expiry, and not by close', async () => {
    const hub = createHub()
    const log: unknown[] = []
    hub.on('streamRemoved', (removal) => log.push(removal))
    for (const end of ['remove', 'setTtl', 'close'] as const) {
      const stream = hub.stream(end)
      stream.on('removed', (removal) => log.push([end, removal]))
      if (end === 'setTtl') stream.setTtl(1)
      else stream[end]()
    }
    vi.advanceTimersByTime(1000)
    expect(log).toEqual([
      { name: 'remove', reason: 'removed', isLocal: true },
      ['remove', { reason: 'removed', isLocal: true }],
      { name: 'setTtl', reason: 'expired', isLocal: true },
      ['setTtl', { reason: 'expired', isLocal: true }],
    ])
  })

  test('reach every listener in order although one throws, and count that', () => {
    const stream = createHub().stream('s')
    const log: unknown[] = []
    const thrown = new Error('listener')
    stream.on('error', (error) => log.push(error))
    stream.on('messagePublished', () => {
      throw thrown
    })
    stream.on('messagePublished', () => log.push('second'))
    stream.publish({})
    const message = 'A listener of "messagePublished" threw: listener (stream "s" of hub "default")'
    expect(log).toMatchObject([{ code: 'LISTENER_FAILED', stream: 's', cause: thrown, message }, 'second'])
    expect(stream.ledger().listenerErrors).toBe(1)
  })

  test('report an error thrown by a listener of error to the hub, else the console', () => {
    const console = vi.spyOn(globalThis.console, 'error').mockImplementation(() => {})
    const hub = createHub()
    const stream = hub.stream('s')
    const [bad, worse] = [new Error('bad'), new Error('worse')]
    const calls: unknown[] = []
    stream.on('error', (error) => {
      calls.push(error)
      throw worse
    })
    stream.subscribe(() => {
      throw bad
    })
    stream.publish({})
    const told = [{ code: 'LISTENER_FAILED', stream: 's', cause: worse }]
    expect(calls).toMatchObject([{ code: 'LISTENER_FAILED', cause: bad }])
    expect(console.mock.calls.map(([, error]) => error)).toMatchObject(told)
    const ofHub: unknown[] = []
    hub.on('error', (error) => ofHub.push(error))
    stream.publish({})
    expect(ofHub).toMatchObject(told)
    expect(stream.ledger()).toMatchObject({ accepted: 2, listenerErrors: 4 })
    console.mockRestore()
  })

  test('queue what a listener publishes behind the message it was told of', () => {
    const stream = createHub().stream<{ n: number }>('s')
    const log: unknown[] = []
    stream.on('messagePublished', ({ message }) => {
      if (message.data.n === 1) stream.publish({ n: 2 })
      log.push(`told ${message.data.n}`)
    })
    stream.subscribe((message) => log.push(`delivered ${message.data.n}`))
    stream.publish({ n: 1 })
    expect(log).toEqual(['delivered 1', 'told 1', 'delivered 2', 'told 2'])
  })

  test('call no later listener once an earlier one has closed the stream', () => {
    const stream = createHub().stream('s')
    const later = vi.fn()
    stream.on('messagePublished', () => stream.close())
    stream.on('messagePublished', later)
    stream.publish({})
    expect(later).not.toHaveBeenCalled()
    expect(() => stream.on('refused', later)).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
    expect(() => stream.off('refused', later)).not.toThrow()
    stream.tryPublish({})
    expect(later).not.toHaveBeenCalled()
  })
})

describe('a listener', () => {
  // RELIABILITY 38
  test('whose promise rejects counts like one that throws, also one of another realm', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const hub = createHub()
    const stream = hub.stream('s')
    const causes: unknown[] = []
    hub.on('error', ({ code, cause }) => causes.push(code, cause))
    const far = () => runInNewContext('Promise.reject("far")')
    stream.on('messagePublished', () => Promise.reject('late'))
    stream.on('messagePublished', far)
    stream.subscribe(far)
    hub.on('streamRemoved', far)
    stream.publish({})
    stream.remove()
    await tick()
    await tick()
    process.off('unhandledRejection', unhandled)
    const failed = (cause: string) => ['LISTENER_FAILED', cause]
    expect(causes.flat()).toEqual(['far', 'late', 'far', 'far'].flatMap(failed))
    expect(hub.ledger().listenerErrors).toBe(4)
    expect(unhandled).not.toHaveBeenCalled()
  })

  const sources: [string, () => { source: Emitting; emit: () => void }][] = [
    [
      'a stream',
      () => {
        const stream = createHub().stream('s')
        const on = (verb: Verb, listener: () => void) => stream[verb]('messagePublished', listener)
        return { source: { on }, emit: () => stream.publish({}) }
      },
    ],
    [
      'a hub',
      () => {
        const hub = createHub()
        const on = (verb: Verb, listener: () => void) => hub[verb]('streamRemoved', listener)
        return { source: { on }, emit: () => hub.stream('s').remove() }
      },
    ],
  ]
  type Verb = 'on' | 'once' | 'off'
  interface Emitting {
    on(verb: Verb, listener: () => void): unknown
  }

  test.each(sources)('of %s is called until it is off, each time that it was added', (_, open) => {
    const { source, emit } = open()
    const [stays, goes] = [vi.fn(), vi.fn()]
    source.on('off', goes)
    source.on('on', stays)
    for (let nth = 0; nth < 2; nth++) source.on('on', goes)
    emit()
    source.on('off', goes)
    emit()
    expect([stays.mock.calls.length, goes.mock.calls.length]).toEqual([2, 2])
  })

  test.each(sources)(
    'of %s is not called any more once an earlier one took it off inside the emit',
    (_, open) => {
      const { source, emit } = open()
      const [late, lateOnce] = [vi.fn(), vi.fn()]
      source.on('on', () => {
        source.on('off', late)
        source.on('off', lateOnce)
      })
      source.on('on', late)
      source.on('once', lateOnce)
      emit()
      emit()
      expect([late.mock.calls.length, lateOnce.mock.calls.length]).toEqual([0, 0])
    },
  )

  test.each(sources)(
    'of %s added with once is called once, also when it causes the event itself',
    (_, open) => {
      const { source, emit } = open()
      const listener = vi.fn(emit)
      source.on('once', listener)
      emit()
      emit()
      expect(listener).toHaveBeenCalledTimes(1)
    },
  )

  test('must be a function of a known event: else INVALID_OPTIONS, on streams and hubs', () => {
    const hub = createHub()
    const stream = hub.stream('s')
    const refusal = (text: string) =>
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(text) })
    for (const verb of ['on', 'once'] as const) {
      for (const event of ['message', '', 'toString', '__proto__', undefined, 5, Symbol('s')]) {
        expect(() => stream[verb](event as never, () => {})).toThrow(refusal('There is no event'))
        expect(() => hub[verb](event as never, () => {})).toThrow(refusal('There is no event'))
      }
      for (const listener of [undefined, null, {}, 'text']) {
        expect(() => stream[verb]('lost', listener as never)).toThrow(refusal('listener is a function'))
        expect(() => hub[verb]('status', listener as never)).toThrow(refusal('listener is a function'))
      }
    }
    expect(() => stream.on('streamRemoved' as never, () => {})).toThrow(
      refusal('there are messagePublished, refused, joined, lost, dropped, gap, removed, closed, error.'),
    )
    expect(() => hub.on('lost' as never, () => {})).toThrow(
      refusal('there are status, error, streamRemoved.'),
    )
  })

  test('that causes its own event is called a few levels deep, then only counted', () => {
    const stream = createHub({ nowMs: () => 0 }).stream('s', { limit: { ratePerSecond: 0, burst: 1 } })
    const [refused, error] = [
      vi.fn(() => void stream.tryPublish({})),
      vi.fn(() => void stream.tryPublish({})),
    ]
    stream.on('refused', refused).on('error', error)
    stream.publish({})
    for (let nth = 1; nth <= 2; nth++) {
      stream.tryPublish({})
      expect(refused).toHaveBeenCalledTimes(8 * nth)
      expect(stream.ledger().refused.rateLimited).toBe(9 * nth)
    }
    expect(error).not.toHaveBeenCalled()
    expectLaws(stream.ledger())
  })
})

test.each(['on', 'once', 'off'] as const)(
  '%s refuses an event that does not exist, and a listener that is no function',
  (verb) => {
    const hub = createHub()
    for (const emitter of [hub, hub.stream('scene')] as unknown as Record<
      typeof verb,
      (...args: unknown[]) => void
    >[]) {
      expect(() => emitter[verb]('nope', () => {})).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      )
      expect(() => emitter[verb]('error', 'x')).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    }
  },
)
