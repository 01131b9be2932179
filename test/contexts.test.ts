import { channel, tracingChannel } from 'node:diagnostics_channel'
import { memoryBus } from '@rivulet/memory'
import { createHub, type HubOptions, type StreamOptions, type Transport } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openHubWith } from '../src/hub/open.ts'
import { topicOf } from '../src/message/topic.ts'
import { HandMadeEnvironment } from './support/hand-made-environment.ts'
import { OUTSIDE, Requests } from './support/requests.ts'
import { ScriptedTransport } from './support/scripted-transport.ts'
import { waitFor } from './support/wait-for.ts'

let requests: Requests
beforeEach(() => {
  requests = new Requests()
})

const ONE_AT_A_TIME: StreamOptions = { limit: { ratePerSecond: 1000, burst: 1 } }

function hubOn(options: HubOptions = {}) {
  const hub = createHub(options)
  onTestFinished(async () => void (await hub.close()))
  return hub
}

/** A hub that was opened in the request `opener`, over what a test plays. */
async function openScripted(transport: ScriptedTransport = new ScriptedTransport()) {
  const hub = requests.run('opener', () => hubOn({ transport }))
  await hub.ready()
  return { hub, transport, topic: topicOf('default', 'news') }
}

/** Notes the calls of the traces of one process. */
function noteTraces(): void {
  for (const name of ['publish', 'process']) {
    const subscribers = {
      start: requests.noting(name),
      end: requests.noting(name),
      error: requests.noting(name),
    }
    const traced = tracingChannel<unknown, object>(`rivulet.${name}`)
    traced.subscribe(subscribers as never)
    onTestFinished(() => traced.unsubscribe(subscribers as never))
  }
}

function noteChannel(name: string): void {
  const listener = requests.noting(name)
  channel(name).subscribe(listener)
  onTestFinished(() => void channel(name).unsubscribe(listener))
}

describe('a local publish', () => {
  test('calls subscribers, events and traces in the request that publishes', () => {
    noteTraces()
    noteChannel('rivulet:refused')
    const stream = requests.run('opener', () =>
      hubOn().stream('news', { limit: { ratePerSecond: 1, burst: 1 } }),
    )
    requests.run('listener', () => {
      stream.subscribe(requests.noting('subscriber'))
      stream.messages$.subscribe(requests.noting('observer'))
      stream.subscribe(() => {
        throw new Error('mine')
      })
      stream.on('messagePublished', requests.noting('messagePublished'))
      stream.on('refused', requests.noting('refused')).on('error', requests.noting('error'))
    })
    requests.run('publisher', () => {
      stream.publish({ n: 1 })
      stream.tryPublish({ n: 2 })
    })
    expect(requests.seen).toEqual({
      subscriber: ['publisher'],
      observer: ['publisher'],
      messagePublished: ['publisher'],
      error: ['publisher'],
      refused: ['publisher'],
      'rivulet:refused': ['publisher'],
      publish: Array(5).fill('publisher'),
      process: ['publisher', 'publisher'],
    })
  })

  test('inside of a fan-out is delivered in the request that publishes it, after it', () => {
    noteTraces()
    const stream = hubOn().stream<{ n: number }>('news')
    stream.subscribe(({ data: { n } }) => {
      if (n === 1) requests.run('second', () => stream.publish({ n: 2 }))
      if (n === 1) requests.run('third', () => stream.publish({ n: 3 }))
    })
    stream.subscribe(({ data: { n } }) => requests.note(`message ${n}`))
    stream.on('messagePublished', ({ message }) =>
      requests.note(`event ${(message.data as { n: number }).n}`),
    )
    requests.run('first', () => stream.publish({ n: 1 }))
    expect(requests.seen).toMatchObject({
      'message 1': ['first'],
      'message 2': ['second'],
      'message 3': ['third'],
      'event 1': ['first'],
      'event 2': ['second'],
      'event 3': ['third'],
      process: ['first', 'first', 'second', 'second', 'third', 'third'],
    })
  })
})

describe('the line of those who wait for room', () => {
  test('publishes, traces and delivers each message in the request that gave it', async () => {
    noteTraces()
    const stream = hubOn().stream<{ n: number }>('news', ONE_AT_A_TIME)
    stream.publish({ n: 0 })
    requests.run('listener', () => stream.subscribe(({ data: { n } }) => requests.note(`message ${n}`)))
    const waits = [1, 2, 3].map((n) =>
      requests.run(`request ${n}`, async () => {
        await stream.publishWhenReady({ n })
        requests.note(`after ${n}`)
      }),
    )
    await Promise.all(waits)
    expect(requests.seen).toEqual({
      publish: [OUTSIDE, OUTSIDE, ...[1, 2, 3].flatMap((n) => [`request ${n}`, `request ${n}`])],
      process: [1, 2, 3].flatMap((n) => [`request ${n}`, `request ${n}`]),
      ...Object.fromEntries([1, 2, 3].map((n) => [`message ${n}`, [`request ${n}`]])),
      ...Object.fromEntries([1, 2, 3].map((n) => [`after ${n}`, [`request ${n}`]])),
    })
  })

  test('publishes a kept value in the request whose value it is', async () => {
    noteTraces()
    const environment = new HandMadeEnvironment()
    const hub = createHubIn(environment)
    onTestFinished(async () => void (await hub.close()))
    const stream = hub.stream('news', ONE_AT_A_TIME)
    stream.subscribe(requests.noting('subscriber'))
    stream.publish({ n: 0 })
    requests.run('old', () => stream.publishLatest({ n: 1 }))
    requests.run('new', () => stream.publishLatest({ n: 2 }))
    await environment.pass(1)
    expect(stream.ledger().waiting).toBe(0)
    expect(requests.seen).toEqual({
      subscriber: [OUTSIDE, 'new'],
      publish: [OUTSIDE, OUTSIDE, 'new', 'new'],
      process: [OUTSIDE, OUTSIDE, 'new', 'new'],
    })
  })

  test('refuses those who wait in their own requests when the stream ends', async () => {
    noteTraces()
    // No room comes before the close, however slow the machine is.
    const stream = hubOn().stream('news', { limit: { ratePerSecond: 0.001, burst: 1 } })
    stream.publish({ n: 0 })
    stream.on('refused', requests.noting('refused'))
    const waits = [1, 2].map((n) => requests.run(`request ${n}`, () => stream.publishWhenReady({ n })))
    requests.run('closer', () => stream.close())
    await expect(Promise.all(waits)).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    expect(requests.seen).toEqual({
      refused: ['request 1', 'request 2'],
      publish: [OUTSIDE, OUTSIDE, ...[1, 2].flatMap((n) => Array(3).fill(`request ${n}`))],
    })
  })
})

describe('another process', () => {
  test('is heard outside of any request, whoever opened the hub and subscribes', async () => {
    noteTraces()
    const bus = memoryBus()
    const [near, far] = [1, 2].map((n) =>
      requests.run(`opener ${n}`, () => hubOn({ transport: bus.transport() })),
    )
    const stream = near?.stream('news')
    await requests.run('listener', async () => {
      const iterator = stream?.iterate({ overflow: 'latest', key: requests.noting('key') })
      stream?.on('messagePublished', requests.noting('messagePublished'))
      stream?.messages$.subscribe(requests.noting('observer'))
      near?.tap(requests.noting('tap'))
      await stream?.subscribe(requests.noting('subscriber')).ready
      await iterator?.ready
      await near?.ready()
    })
    await far?.ready()
    requests.run('publisher', () => far?.stream('news').publish({ n: 1 }))
    await waitFor(() => expect(requests.seen.tap).toHaveLength(1))
    expect(requests.seen).toEqual({
      subscriber: [OUTSIDE],
      observer: [OUTSIDE],
      key: [OUTSIDE],
      tap: [OUTSIDE],
      // Of the stream, and of the tap.
      messagePublished: [OUTSIDE],
      process: Array(4).fill(OUTSIDE),
      publish: ['publisher', 'publisher'],
    })
  })

  test('is heard outside of any request, in whichever a transport calls its host', async () => {
    const { hub, transport, topic } = await openScripted()
    hub.on('error', requests.noting('error')).on('status', requests.noting('status'))
    const stream = hub.stream('news', { maxBytes: 20 })
    stream.on('dropped', requests.noting('dropped'))
    const gone = hub.stream('gone').on('removed', requests.noting('removed'))
    await gone.subscribe(() => {}).ready
    noteChannel('rivulet:dropped')
    noteChannel('rivulet:status')
    await stream.subscribe(requests.noting('subscriber')).ready
    requests.run('socket', () => {
      const { host } = transport
      host.receive(topic, '{"data":{"n":1}}')
      host.receive(topic, '{"data":{"n":"that is larger than twenty bytes"}}')
      host.error(topic, new Error('refused'))
      host.receive(
        topicOf('default', 'gone'),
        `{"removed":true,"sid":"TZ${'f'.repeat(16)}${'1'.padStart(16, '0')}"}`,
      )
      host.down(new Error('gone'))
    })
    await waitFor(() => expect(requests.seen.status).toBeDefined())
    expect(Object.keys(requests.seen).sort()).toEqual(
      ['dropped', 'error', 'removed', 'rivulet:dropped', 'rivulet:status', 'status', 'subscriber'].sort(),
    )
    expect(new Set(Object.values(requests.seen).flat())).toEqual(new Set([OUTSIDE]))
  })

  test('loses nothing of a store that a listener enters to the next message', async () => {
    const { hub, transport, topic } = await openScripted()
    await hub.stream('news').subscribe(() => {
      requests.note('subscriber')
      requests.enter('entered')
      requests.note('subscriber')
    }).ready
    for (const n of [1, 2]) transport.host.receive(topic, `{"data":{"n":${n}}}`)
    expect(requests.seen).toEqual({ subscriber: [OUTSIDE, 'entered', OUTSIDE, 'entered'] })
  })
})

describe('what is lost or over', () => {
  test.each([true, false])('is told outside of any request, with `batch: %s`', async (batch) => {
    noteChannel('rivulet:lost')
    const { hub, transport } = await openScripted()
    transport.sending = 'offline'
    const stream = hub.stream('news', { batch }).on('lost', requests.noting('lost'))
    for (const n of [1, 2]) requests.run(`publisher ${n}`, () => stream.publish({ n }))
    await hub.flush()
    const times = batch ? 1 : 2
    expect(requests.seen).toEqual({
      lost: Array(times).fill(OUTSIDE),
      'rivulet:lost': Array(times).fill(OUTSIDE),
    })
  })

  test('is told outside of any request when a timer ends a stream', async () => {
    const environment = new HandMadeEnvironment()
    const hub = createHubIn(environment)
    hub.on('streamRemoved', requests.noting('streamRemoved'))
    const stream = hub.stream('news').on('removed', requests.noting('removed'))
    requests.run('setter', () => stream.setTtl(1))
    await requests.run('clock', () => environment.pass(1_000))
    expect(requests.seen).toEqual({ removed: [OUTSIDE], streamRemoved: [OUTSIDE] })
    await hub.close()
  })

  test('is told outside of any request when an idle stream is closed', async () => {
    const environment = new HandMadeEnvironment()
    const hub = createHubIn(environment)
    const open = () => hub.stream('news', { idleTtlSeconds: 1 })
    requests.run('opener', open).on('closed', requests.noting('closed'))
    await environment.pass(500)
    requests.run('publisher', () => open().publish({}))
    await requests.run('clock', () => environment.pass(1_000))
    expect(requests.seen).toEqual({ closed: [OUTSIDE] })
    await hub.close()
  })

  test('is told in the request that removes a stream', () => {
    const hub = hubOn().on('streamRemoved', requests.noting('streamRemoved'))
    const stream = hub.stream('news').on('removed', requests.noting('removed'))
    requests.run('remover', () => stream.remove())
    expect(requests.seen).toEqual({ removed: ['remover'], streamRemoved: ['remover'] })
  })

  test('a hub tells its status outside of the request that closes it', async () => {
    const { hub } = await openScripted()
    const local = hubOn()
    for (const each of [hub, local]) each.on('status', requests.noting('status'))
    await requests.run('closer', () => Promise.all([hub.close(), local.close()]))
    expect(requests.seen).toEqual({ status: [OUTSIDE, OUTSIDE] })
  })
})

describe('a transport', () => {
  test('is called outside of any request', async () => {
    const transport = noting(new ScriptedTransport())
    await requests.run('user', async () => {
      const hub = createHub({ transport })
      hub.on('error', () => {})
      await hub.ready()
      const subscription = hub.stream('news').subscribe(() => {})
      await subscription.ready
      await hub.tap(() => {}).ready
      subscription.unsubscribe()
      hub.stream('news', { batch: true }).publish({ n: 1 })
      hub.stream('at once', { batch: false }).publish({ n: 1 })
      hub.stream('news').remove()
      await hub.flush()
      await hub.close()
    })
    expect(Object.keys(requests.seen).sort()).toEqual([...METHODS].sort())
    expect(new Set(Object.values(requests.seen).flat())).toEqual(new Set([OUTSIDE]))
  })

  test('has its package loaded outside of any request', async () => {
    const load = async () => {
      requests.note('load')
      return { transportFromUrls: () => new ScriptedTransport() }
    }
    const hub = await requests.run('opener', () =>
      openHubWith([{ name: '@rivulet/scripted', schemes: ['scripted:'], load }], 'scripted://host'),
    )
    expect(requests.seen).toEqual({ load: [OUTSIDE] })
    await hub.close()
  })
})

const METHODS = ['open', 'send', 'join', 'leave', 'watch', 'flush', 'close'] as const

/** A transport that notes each call. */
function noting(transport: Transport): Transport {
  for (const name of METHODS) {
    const method = transport[name].bind(transport) as (...args: unknown[]) => unknown
    Object.defineProperty(transport, name, {
      value: (...args: unknown[]) => {
        requests.note(name)
        return method(...args)
      },
    })
  }
  return transport
}

test('whoever waits for the library goes on in the own request', async () => {
  const bus = memoryBus()
  const hub = hubOn({ transport: bus.transport() })
  const far = hubOn({ transport: bus.transport() })
  const stream = hub.stream('news')
  const user = requests.run('user', async () => {
    await hub.ready()
    requests.note('hub.ready')
    await stream.subscribe(() => {}).ready
    requests.note('subscription.ready')
    await hub.flush()
    requests.note('flush')
    for await (const _ of stream) {
      requests.note('iterator')
      break
    }
    await hub.close()
    requests.note('close')
  })
  await far.ready()
  await waitFor(() => {
    far.stream('news').publish({ n: 1 })
    expect(requests.seen.iterator).toBeDefined()
  })
  await user
  const all = ['hub.ready', 'subscription.ready', 'flush', 'iterator', 'close']
  expect(requests.seen).toEqual(Object.fromEntries(all.map((what) => [what, ['user']])))
})
