import { channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub, type Hub } from 'rivulet'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { decodeFrame, encodeMessage, lastSid } from '../src/message/frame.ts'
import { Message } from '../src/message/message.ts'
import { tick } from './support/fake-time.ts'
import { expectLaws } from './support/ledger-laws.ts'
import { ScriptedTransport } from './support/scripted-transport.ts'

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const ORIGIN = 'feedfacecafebeef'
const hubs: Hub[] = []
const stops: (() => void)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0)) stop()
  await Promise.all(hubs.splice(0).map((hub) => hub.close()))
})

function hubOn(options?: Parameters<typeof createHub>[0]): Hub {
  const hub = createHub(options)
  hubs.push(hub)
  return hub
}

/** What a plain channel tells from now on. */
function listen(name: string): object[] {
  const told: object[] = []
  const listener = (event: unknown) => told.push({ ...(event as object) })
  channel(name).subscribe(listener)
  stops.push(() => channel(name).unsubscribe(listener))
  return told
}

/** What a tracing channel tells from now on, in order. */
function trace(name: string, onStart = (_event: object) => {}): [phase: string, event: object][] {
  const told: [string, object][] = []
  const note = (phase: string) => (event: object) => {
    if (phase === 'start') onStart(event)
    told.push([phase, { ...event }])
  }
  const subscribers = Object.fromEntries(
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((phase) => [phase, note(phase)]),
  ) as unknown as Parameters<TracingChannel['subscribe']>[0]
  const traced = tracingChannel(name)
  traced.subscribe(subscribers)
  stops.push(() => void traced.unsubscribe(subscribers))
  return told
}

const setTrace = (event: object) => Object.assign(event, { traceparent: TRACEPARENT })

describe('rivulet.publish', () => {
  test('follows an accepted message, through every verb', async () => {
    const told = trace('rivulet.publish')
    const stream = hubOn({ name: 'fleet' }).stream('a')
    const messages = [
      stream.publish({ n: 1 }),
      stream.publishLatest({ n: 2 }),
      await stream.publishWhenReady({ n: 3 }),
    ]
    stream.tryPublish({ n: 4 })
    expect(told.map(([phase]) => phase)).toEqual(Array(4).fill(['start', 'end']).flat())
    expect(told[0]?.[1]).toEqual({ hub: 'fleet', stream: 'a', data: { n: 1 } })
    const ended = told.filter(([phase]) => phase === 'end').map(([, event]) => event)
    const expected = [...messages, expect.objectContaining({ data: { n: 4 } })]
    expect(ended).toMatchObject(expected.map((message) => ({ message })))
  })

  test('tells a refusal as an error, whether it is thrown or a value', () => {
    const told = trace('rivulet.publish')
    const refused = listen('rivulet:refused')
    const stream = hubOn({ streamDefaults: { limit: { burst: 1, ratePerSecond: 0 } } }).stream('a')
    stream.publish({})
    expect(stream.tryPublish({}).ok).toBe(false)
    expect(() => stream.publish({})).toThrow()
    const phases = ['start', 'error', 'end']
    expect(told.slice(2).map(([phase]) => phase)).toEqual([...phases, ...phases])
    expect(told[3]?.[1]).toMatchObject({ hub: 'default', stream: 'a', error: { code: 'RATE_LIMITED' } })
    expect(refused).toEqual(Array(2).fill({ hub: 'default', stream: 'a', code: 'RATE_LIMITED' }))
  })

  test('refuses a message whose stream or hub closes as its tracing starts', async () => {
    for (const [end, code] of [
      [(hub: Hub) => hub.stream('a').close(), 'STREAM_CLOSED'],
      [(hub: Hub) => void hub.close(), 'HUB_CLOSED'],
    ] as const) {
      const hub = hubOn({ transport: memoryBus().transport() })
      await hub.ready()
      const stream = hub.stream('a')
      const told = trace('rivulet.publish', () => end(hub))
      expect(stream.tryPublish({})).toMatchObject({ ok: false, code })
      expect(told.map(([phase]) => phase)).toEqual(['start', 'error', 'end'])
      expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 0, refused: { closed: 1 } })
      const waiting = hub.status === 'closed' ? undefined : hub.stream('a').publishWhenReady({})
      await expect(waiting ?? Promise.reject({ code })).rejects.toMatchObject({ code })
      expectLaws(await hub.close())
      stops.pop()?.()
    }
  })

  test('lets a tracer name a trace, which subscribers of the message alone receive', async () => {
    const bus = memoryBus()
    const [here, there] = [hubOn({ transport: bus.transport() }), hubOn({ transport: bus.transport() })]
    const heard: Message[] = []
    here.stream('a').subscribe((message) => heard.push(message as Message))
    await there.stream('a').subscribe((message) => heard.push(message as Message)).ready
    await here.ready()
    trace('rivulet.publish', setTrace)
    const processed = trace('rivulet.process')
    here.stream('a').publish({ n: 1 })
    await here.flush()
    await tick()
    const started = processed.filter(([phase]) => phase === 'start').map(([, event]) => event)
    expect(started).toMatchObject(Array(2).fill({ stream: 'a', traceparent: TRACEPARENT }))
    expect(heard.map(({ isLocal }) => isLocal)).toEqual([true, false])
    expect(heard.map((message) => Object.keys(message))).toEqual(Array(2).fill(['data', 'isLocal']))
    expect(there.ledger()).toMatchObject({ received: 1, delivered: 1 })
  })

  test('ignores a trace of another form', async () => {
    const transport = new ScriptedTransport()
    const hub = hubOn({ transport })
    await hub.ready()
    const zeros = (length: number) => '0'.repeat(length)
    const forms = [
      '',
      'x',
      7,
      {},
      TRACEPARENT.toUpperCase(),
      `${TRACEPARENT}"`,
      TRACEPARENT.replace('00-', '01-'),
      TRACEPARENT.replace(/-\w{32}/, `-${zeros(32)}`),
      TRACEPARENT.replace(/-\w{16}-/, `-${zeros(16)}-`),
      TRACEPARENT.replace('c-b', '-cb'),
      TRACEPARENT.replace('-b', 'b-'),
      TRACEPARENT.replace('1-01', '-101'),
      TRACEPARENT.replace('00-0', 'f00-'),
      TRACEPARENT.replace(/1$/, 'g'),
    ]
    for (const traceparent of forms) {
      const told = trace('rivulet.publish', (event) => Object.assign(event, { traceparent }))
      hub.stream('a').publish({})
      expect(told).toHaveLength(2)
      stops.pop()?.()
    }
    await hub.flush()
    expect(transport.sent.every(({ text }) => !text.includes('tp'))).toBe(true)
  })
})

describe('rivulet.process', () => {
  test('surrounds the fan-out of a message once, and only with subscribers', () => {
    const told = trace('rivulet.process')
    const stream = hubOn().stream('a')
    stream.publish({ n: 0 })
    const order: string[] = []
    stream.subscribe(() => order.push(`one after ${told.length}`))
    stream.subscribe(() => order.push(`two after ${told.length}`))
    const message = stream.publish({ n: 1 })
    expect(order).toEqual(['one after 1', 'two after 1'])
    expect(told).toEqual([
      ['start', { hub: 'default', stream: 'a', message, traceparent: undefined }],
      ['end', expect.objectContaining({ message })],
    ])
  })

  test('goes on when a subscriber throws', () => {
    const told = trace('rivulet.process')
    const stream = hubOn()
      .stream('a')
      .on('error', () => {})
    stream.subscribe(() => {
      throw new Error('mine')
    })
    stream.publish({})
    expect(told.map(([phase]) => phase)).toEqual(['start', 'end'])
    expect(stream.ledger().listenerErrors).toBe(1)
  })
})

test('rivulet.connect follows each attempt, and rivulet:status what comes of it', async () => {
  const told = trace('rivulet.connect')
  const statuses = listen('rivulet:status')
  const transport = new ScriptedTransport()
  transport.answers.open = new Error('away')
  const hub = hubOn({ name: 'fleet', transport }).on('error', () => {})
  await tick()
  expect(told.map(([phase]) => phase)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  expect(told[2]?.[1]).toMatchObject({ hub: 'fleet', transport: 'scripted', error: { message: 'away' } })
  transport.answers.open = 'resolve'
  await hub.ready()
  await hub.close()
  expect(statuses).toEqual([
    { hub: 'fleet', status: 'down', failedAttempts: 1 },
    { hub: 'fleet', status: 'up', failedAttempts: 0 },
    { hub: 'fleet', status: 'closed', failedAttempts: 0 },
  ])
})

test('rivulet:hub, rivulet:lost and rivulet:dropped tell what happens', async () => {
  const [created, lost, dropped] = ['rivulet:hub', 'rivulet:lost', 'rivulet:dropped'].map(listen) as [
    [],
    [],
    [],
  ]
  const transport = new ScriptedTransport()
  const hub = hubOn({ transport })
  expect(created).toEqual([{ hub }])
  const stream = hub.stream('a')
  stream.publish({ n: 1 })
  stream.publish({ n: 2 })
  await tick()
  expect(lost).toEqual([{ hub: 'default', stream: 'a', reason: 'offline', count: 2 }])
  await hub.ready()
  await stream.subscribe(() => {}).ready
  transport.sending = 'offline'
  stream.publish({ n: 3 })
  await hub.flush()
  expect(lost.slice(1)).toEqual([{ hub: 'default', stream: 'a', reason: 'offline', count: 1 }])
  transport.host.receive('rivulet/default/a' as never, 'no frame')
  expect(dropped).toEqual([{ hub: 'default', stream: 'a', reason: 'malformed', count: 1 }])
})

test.each([
  ['a process', undefined],
  ['built-in modules', {}],
  ['diagnostics channels', { getBuiltinModule: () => undefined }],
])('a runtime without %s has no channel subscribers, and everything else', async (_, process) => {
  vi.resetModules()
  vi.stubGlobal('process', process)
  stops.push(() => void vi.unstubAllGlobals().resetModules())
  // By itself: vitest needs the process to load a package that is linked from elsewhere, as in the copy for mutants.
  await import('../src/base/diagnostics.ts')
  vi.unstubAllGlobals()
  const library = await import('rivulet')
  const hub = library.createHub({ transport: new ScriptedTransport() })
  const stream = hub.stream<{ n: number }>('a')
  const heard: number[] = []
  await stream.subscribe(({ data }) => heard.push(data.n)).ready
  stream.publish({ n: 1 })
  expect(stream.tryPublish([] as never).ok).toBe(false)
  expect(heard).toEqual([1])
  expect(await hub.close()).toMatchObject({ accepted: 1, refused: { invalidData: 1 }, confirmed: 1 })
})

describe('a frame with a trace', () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<object>
  const hex = (length: number) =>
    fc
      .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
      .map((all) => all.join(''))
  const traceparents = fc.option(
    fc.tuple(hex(31), hex(15), hex(2)).map(([id, parent, flags]) => `00-${id}1-${parent}1-${flags}`),
    { nil: undefined },
  )

  test('is read back as it was written, alone and in an array', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(json, traceparents), { minLength: 1, maxLength: 8 }), (messages) => {
        const texts = messages.map(([data, traceparent], index) =>
          encodeMessage(new Message(data, true, ORIGIN, index + 1, traceparent), data, index),
        )
        const bytes = new TextEncoder().encode(texts.length === 1 ? texts[0] : `[${texts.join(',')}]`)
        expect(lastSid(bytes)).toEqual({ origin: ORIGIN, sequence: messages.length })
        expect(decodeFrame(bytes)).toEqual(
          messages.map(([data, traceparent], index) => ({
            data: JSON.parse(JSON.stringify(data)),
            sid: { origin: ORIGIN, sequence: index + 1 },
            tMs: index,
            traceparent,
          })),
        )
      }),
    )
  })

  test('is taken without it when the trace is strange', () => {
    for (const tp of ['', 'x', 1, null, [], { a: 1 }, `${TRACEPARENT}0`, 'x'.repeat(55), 'ü'.repeat(55)]) {
      const frame = `{"data":{"n":1},"tp":${JSON.stringify(tp)},"sid":"TZ${ORIGIN}0000000000000001","t":5}`
      expect(decodeFrame(new TextEncoder().encode(frame)), frame).toEqual([
        { data: { n: 1 }, sid: { origin: ORIGIN, sequence: 1 }, tMs: 5, traceparent: undefined },
      ])
    }
  })
})
