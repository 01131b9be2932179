import { inspect } from 'node:util'
import { createHub, type Message, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { pass, stopTime, tick } from '../support/fake-time.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

const ONE_A_SECOND = { limit: { ratePerSecond: 1, burst: 1 } } as const

function open(options: StreamOptions = {}): Stream<{ n?: unknown }> {
  return createHub().stream('s', options) as Stream as Stream<{ n?: unknown }>
}

/** A stream of a hub on a transport that a test drives. */
function remote(options: StreamOptions = {}) {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport })
  hub.on('error', () => {})
  return { transport, hub, stream: hub.stream('s', options) }
}

function numbers(stream: Stream<{ n?: unknown }>): unknown[] {
  const heard: unknown[] = []
  stream.subscribe(({ data }) => heard.push(data.n))
  return heard
}

describe('publish', () => {
  test('is synchronous: local subscribers have been called when it returns the message', () => {
    const stream = open()
    const heard: Message[] = []
    stream.subscribe((message) => heard.push(message))
    const message = stream.publish({ n: 1 })
    expect(heard).toEqual([message])
    expect(heard[0]).toBe(message)
    expect(message).toMatchObject({ data: { n: 1 }, isLocal: true })
  })

  test('hands the message to the transport, after the tick', async () => {
    const { stream, hub, transport } = remote()
    await hub.ready()
    stream.publish({ n: 1 })
    expect(transport.frames).toEqual([])
    await tick()
    expect(transport.frames).toMatchObject([{ data: { n: 1 } }])
  })

  test('throws a RivuletError when refused, and delivers to no subscriber', () => {
    const stream = open()
    const heard = numbers(stream)
    expect(() => stream.publish([] as never)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
    expect(heard).toEqual([])
    expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 0, refused: { invalidData: 1 } })
  })
})

describe('tryPublish', () => {
  test('gives the message, or a refusal as a value', () => {
    const stream = open(ONE_A_SECOND)
    const heard = numbers(stream)
    expect(stream.tryPublish({ n: 1 })).toMatchObject({
      ok: true,
      message: { data: { n: 1 }, isLocal: true },
    })
    expect(stream.tryPublish({ n: 2 })).toMatchObject({ ok: false, code: 'RATE_LIMITED', retryAfterMs: 1000 })
    expect(heard).toEqual([1])
  })
})

describe('subscribe', () => {
  test('takes functions only', () => {
    for (const listener of [undefined, null, {}, 'text']) {
      expect(() => open().subscribe(listener as never)).toThrow(
        expect.objectContaining({
          code: 'INVALID_OPTIONS',
          message: expect.stringContaining('listener is a function, not'),
        }),
      )
    }
  })

  // RELIABILITY 28, 42
  test('delivers messages to each subscription until it is unsubscribed, twice or not', () => {
    const stream = open()
    stream.publish({ n: 0 })
    const heard: unknown[] = []
    const listener = ({ data }: Message) => heard.push((data as { n: number }).n)
    const [first, second] = [stream.subscribe(listener), stream.subscribe(listener)]
    stream.publish({ n: 1 })
    expect([first.closed, second.closed]).toEqual([false, false])
    first.unsubscribe()
    first.unsubscribe()
    expect([first.closed, second.closed]).toEqual([true, false])
    stream.publish({ n: 2 })
    second[Symbol.dispose]()
    stream.publish({ n: 3 })
    expect(heard).toEqual([1, 1, 2])
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('gives a ready that resolves at once without a transport, made when it is read', async () => {
    const subscription = open().subscribe(() => {})
    const settled = vi.fn()
    subscription.ready.then(settled)
    await tick()
    expect(settled).toHaveBeenCalledOnce()
    expect(subscription.ready).toBe(subscription.ready)
  })

  test('gives a ready that resolves when the join is confirmed', async () => {
    const { stream, transport } = remote()
    transport.answers.join = 'hang'
    const settled = vi.fn()
    const { ready } = stream.subscribe(() => {})
    ready.then(settled)
    await tick()
    expect(transport.joins).toHaveLength(1)
    expect(settled).not.toHaveBeenCalled()
    transport.joins[0]?.resolve()
    await ready
  })

  test.each<[string, (scene: ReturnType<typeof remote>, end: () => void) => unknown, string]>([
    ['unsubscribe', (_, unsubscribe) => unsubscribe(), 'STREAM_CLOSED'],
    ['the end of the stream', ({ stream }) => stream.close(), 'STREAM_CLOSED'],
    ['the end of the hub', ({ hub }) => void hub.close(), 'HUB_CLOSED'],
    [
      'a join that is refused',
      ({ transport }) => transport.joins[0]?.reject(new Error('denied')),
      'TRANSPORT_FAILED',
    ],
  ])('gives a ready that rejects on %s, and is never an unhandled rejection', async (_, end, code) => {
    const scene = remote()
    scene.transport.answers.join = 'hang'
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const subscription = scene.stream.subscribe(() => {})
    const { ready } = subscription
    await tick()
    end(scene, () => subscription.unsubscribe())
    await tick()
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    await expect(ready).rejects.toMatchObject({ code })
  })

  test('gives a ready that rejects when it is read after the end', async () => {
    const subscription = open().subscribe(() => {})
    subscription.unsubscribe()
    await expect(subscription.ready).rejects.toMatchObject({
      code: 'STREAM_CLOSED',
      message: expect.stringContaining('The subscription has ended'),
    })
  })
})

describe('console.log', () => {
  test('shows a hub by its name, status and counts', () => {
    const hub = createHub({ name: 'fleet' })
    hub.stream('s').publish({})
    const shown = inspect(hub, { depth: 1 })
    expect(shown).toMatch(/hub: 'fleet'[\s\S]*status: 'local'[\s\S]*streams: \[ 's' \][\s\S]*accepted: 1/)
  })

  test('has its name, that of its hub, whether it is closed, and its counts', () => {
    const stream = createHub({ name: 'fleet' }).stream('s')
    stream.publish({})
    stream.close()
    const shown = inspect(stream, { depth: 1 })
    expect(shown).toMatch(/stream: 's'[\s\S]*hub: 'fleet'[\s\S]*closed: true[\s\S]*accepted: 1/)
  })

  test('shows how often a hub failed to connect', async () => {
    const { hub, transport } = remote()
    transport.answers.open = new Error('away')
    await tick()
    transport.host.down(new Error('gone'))
    await pass(1_000)
    expect(inspect(hub)).toMatch(/status: '(down|opening)'[\s\S]*failedAttempts: [1-9]/)
  })
})
