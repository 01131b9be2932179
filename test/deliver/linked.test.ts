import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { openScene } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

/** A stream in two processes. */
async function linked(): Promise<[Stream, Stream]> {
  const bus = memoryBus()
  const hubs = [1, 2].map(() => createHub({ transport: bus.transport() }))
  await Promise.all(hubs.map((hub) => hub.ready()))
  return hubs.map((hub) => hub.stream('s', { limit: false })) as [Stream, Stream]
}

const numberOf = (message: { data: unknown }) => (message.data as { n: number }).n

describe('what is published here', () => {
  test('is handed over after its own fan-out, so the order elsewhere is the local order', async () => {
    const [here, there] = await linked()
    const [local, remote]: [number[], number[]] = [[], []]
    await there.subscribe((message) => remote.push(numberOf(message))).ready
    here.subscribe((message) => {
      const n = numberOf(message)
      if (n >= 10) return
      here.publish({ n: n * 2 + 1 })
      here.publish({ n: n * 2 + 2 })
    })
    here.subscribe((message) => local.push(numberOf(message)))
    here.publish({ n: 0 })
    await tick()
    expect(local.length).toBe(21)
    expect(remote).toEqual(local)
    expect(there.ledger()).toMatchObject({ delivered: 21, missed: 0, reordered: 0 })
  })

  test('is shown here once, from the local path only, also when the transport echoes', async () => {
    const hub = createHub({ transport: memoryBus({ echoes: true }).transport() })
    await hub.ready()
    const stream = hub.stream('s')
    const seen: unknown[] = []
    await stream.subscribe((message) => seen.push(message.sid)).ready
    stream.subscribe((message) => seen.push(message.sid))
    const { sid } = stream.publish({})
    await tick()
    expect(seen).toEqual([sid, sid])
    expect(stream.ledger()).toMatchObject({ received: 1, delivered: 0, dropped: { echo: 1 } })
  })

  /** A stream whose transport takes frames of 1000 bytes, and how to publish so many small messages. */
  async function halved() {
    const transport = new ScriptedTransport()
    transport.capabilities = { ...transport.capabilities, maxFrameBytes: () => 1000 }
    const hub = createHub({ transport })
    await hub.ready()
    const stream = hub.stream<Record<string, unknown>>('s', { limit: false })
    const publishMany = (from: number, count: number) => {
      for (let n = from; n < from + count; n++) stream.publish({ n })
    }
    return {
      stream,
      transport,
      publishMany,
      sent: () => transport.frames.flat().map((entry) => numberOf(entry as { data: unknown })),
    }
  }

  test('does not overtake the rest of a split frame when a lost listener publishes 64', async () => {
    const { stream, transport, publishMany, sent } = await halved()
    stream.on('lost', () => publishMany(1000, 64))
    const send = transport.send.bind(transport)
    transport.send = (topic, frame) => {
      transport.sending = transport.log.includes('send') ? 'sent' : 'offline'
      return send(topic, frame)
    }
    publishMany(0, 40)
    await tick()
    expect(stream.ledger().lost.offline).toBeGreaterThan(0)
    expect(sent().length).toBe(104 - stream.ledger().lost.offline)
    expect(sent()).toEqual([...sent()].sort((one, other) => one - other))
  })

  test('does not overtake the rest of a split frame when an error listener publishes 64', async () => {
    const { stream, publishMany, sent } = await halved()
    stream.on('error', () => publishMany(1000, 64))
    stream.publish({ n: -1, s: 'x'.repeat(1000) })
    publishMany(0, 40)
    await tick()
    expect(sent().length).toBe(104)
    expect(sent()).toEqual([...sent()].sort((one, other) => one - other))
  })
})

describe('a transport whose send throws', () => {
  /** Two streams whose frames of 40 messages are split; the transport throws at the first `times` sends. */
  async function throwing(times: number) {
    const transport = new ScriptedTransport()
    transport.capabilities = { ...transport.capabilities, maxFrameBytes: () => 1000 }
    const hub = createHub({ transport })
    await hub.ready()
    const send = transport.send.bind(transport)
    let left = times
    transport.send = (topic, frame) => {
      if (left-- > 0) throw new Error('send')
      return send(topic, frame)
    }
    const [stream, other] = ['s', 'other'].map((name) => hub.stream(name, { limit: false })) as [
      Stream,
      Stream,
    ]
    const publishMany = (to: Stream, from: number, count: number) => {
      for (let n = from; n < from + count; n++) to.publish({ n })
    }
    return { hub, transport, stream, other, publishMany }
  }

  test('does not let a listener of error overtake the rest of a split frame', async () => {
    const { transport, stream, publishMany } = await throwing(1)
    stream.on('error', () => publishMany(stream, 1000, 64))
    publishMany(stream, 0, 40)
    await tick()
    const sent = transport.frames.flat().map((entry) => numberOf(entry as { data: unknown }))
    expect(sent.length).toBe(104 - stream.ledger().lost.failed)
    expect(sent).toEqual([...sent].sort((one, other) => one - other))
    expectLaws(stream.ledger())
  })

  test('costs each stream its own messages only, when an error listener publishes', async () => {
    const { hub, stream, other, publishMany } = await throwing(1000)
    other.on('error', () => {})
    let left = 100
    stream.on('error', () => {
      if (left-- > 0) publishMany(other, 0, 64)
    })
    publishMany(stream, 0, 40)
    await tick()
    await tick()
    expect(stream.ledger()).toMatchObject({ accepted: 40, inFlight: 0, lost: { failed: 40 } })
    const { accepted, inFlight, lost } = other.ledger()
    expect({ inFlight, failed: lost.failed }).toEqual({ inFlight: 0, failed: accepted })
    for (const ledger of [stream.ledger(), other.ledger(), hub.ledger()]) expectLaws(ledger)
  })
})

describe('what comes from elsewhere', () => {
  test('is counted as delivered, is not local, and is never sent on', async () => {
    const [here, there] = await linked()
    const flags: boolean[] = []
    await there.subscribe((message) => flags.push(message.isLocal)).ready
    await here.subscribe(() => {}).ready
    here.publish({})
    await tick()
    expect(flags).toEqual([false])
    expect(there.ledger()).toMatchObject({ received: 1, delivered: 1, attempts: 0, accepted: 0 })
    expect(here.ledger()).toMatchObject({ received: 0, accepted: 1 })
  })

  test('keeps coming although a subscriber throws at each message', async () => {
    const [here, there] = await linked()
    const [errors, heard]: unknown[][] = [[], []]
    here.on('error', (error) => errors?.push(error))
    const throws = here.subscribe(() => {
      throw new Error('remote')
    })
    here.subscribe((message) => heard?.push(message.data))
    await throws.ready
    for (let n = 0; n < 10; n++) {
      there.publish({ n })
      await tick()
    }
    expect([heard?.length, errors?.length]).toEqual([10, 10])
    expect(here.ledger()).toMatchObject({ delivered: 10, listenerErrors: 10 })
  })

  const frame = (n: number) => ({ data: { n } })

  async function atOnce(options: StreamOptions, listener: (n: number, receive: (n: number) => void) => void) {
    const scene = await openScene(options)
    const receive = (n: number) => scene.receive(frame(n))
    scene.stream.subscribe((message) => listener(numberOf(message), receive))
    return Object.assign(scene, { receiveNumber: receive, numbers: () => scene.heard.map(numberOf) })
  }

  test('enters the same queue as a publish, so every subscriber sees one order', async () => {
    const last: number[] = []
    const scene = await atOnce({}, (n, receive) => {
      if (n > 0) return
      scene.stream.publish({ n: 1 })
      receive(2)
      scene.stream.publish({ n: 3 })
    })
    scene.stream.subscribe((message) => last.push(numberOf(message)))
    scene.stream.publish({ n: 0 })
    expect([scene.numbers(), last]).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ])
  })

  test('counts as delivered at its admission, before a subscriber is called', async () => {
    const delivered: number[] = []
    const scene = await atOnce({}, (n, receive) => {
      if (n === 1) receive(2)
      delivered.push(scene.ledger.delivered)
    })
    scene.receiveNumber(1)
    expect(delivered).toEqual([2, 2])
  })

  test('is dropped and counted when the queue of the running fan-out is full', async () => {
    const scene = await atOnce({ maxWaiting: 1 }, (n, receive) => {
      if (n > 0) return
      receive(1)
      receive(2)
    })
    scene.stream.publish({ n: 0 })
    expect(scene.numbers()).toEqual([0, 1])
    expect(scene.ledger).toMatchObject({ received: 2, delivered: 1, dropped: { rateLimited: 1 } })
    expectLaws(scene.ledger)
  })
})
