import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub, type Hub, type Message, type RivuletError, type Topic } from 'rivulet'
import { tapHub } from 'rivulet/tap'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'
import { waitFor } from '../support/wait-for.ts'

const hubs: Hub[] = []

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()))
})

function hubOn(transport: Parameters<typeof createHub>[0] & object): Hub {
  const hub = createHub(transport)
  hubs.push(hub)
  return hub
}

/** Two hubs on one bus, and what the second hears of the first. */
async function tapped(limits: { limit?: false } = { limit: false }) {
  const bus = memoryBus()
  const here = hubOn({ transport: bus.transport(), streamDefaults: limits })
  const there = hubOn({ transport: bus.transport() })
  const heard: [stream: string, message: Message][] = []
  const tap = there.tap((message, stream) => heard.push([stream, message]))
  await Promise.all([tap.ready, here.ready()])
  const settle = async () => {
    await here.flush()
    await tick()
  }
  return { bus, here, there, heard, tap, settle }
}

/** A hub on a scripted transport with a tap, and a way to hand in frames. */
async function scripted() {
  const transport = new ScriptedTransport()
  const hub = hubOn({ transport })
  const errors: RivuletError[] = []
  hub.on('error', (error) => errors.push(error))
  const heard: [string, unknown][] = []
  const tap = hub.tap((message, stream) => heard.push([stream, message.data]))
  await tap.ready
  const take = (frame: unknown, topic = 'rivulet/default/a') =>
    transport.host.watched(topic, typeof frame === 'string' ? frame : JSON.stringify(frame))
  return { transport, hub, errors, heard, tap, take }
}

function entry(sequence: number, data: object = { sequence }) {
  return { data, sid: sidOf('feedfacecafebeef', sequence), t: sequence }
}

describe('a tap', () => {
  test.each(['unsubscribe', 'abort', 'close'])(
    'hears no more of a frame once another tap ends it: %s',
    async (how) => {
      const { hub, take } = await scripted()
      const stop = new AbortController()
      const ends = {
        unsubscribe: () => second.unsubscribe(),
        abort: () => stop.abort(),
        close: () => hub.close(),
      }
      const heard: string[] = []
      hub.tap(() => void ends[how as keyof typeof ends]())
      const second = hub.tap((_, stream) => heard.push(stream), { signal: stop.signal })
      take(entry(1))
      expect([heard, second.closed, second.ledger().received]).toEqual([[], true, 0])
    },
  )

  test('hears what other hubs publish on streams that it never opened, with sid and data', async () => {
    const { here, heard, settle } = await tapped()
    const sent = [here.stream('a').publish({ n: 1 }), here.stream('ä/ö').publish({ n: 2 })]
    await settle()
    expect(heard.map(([stream]) => stream)).toEqual(['a', 'ä/ö'])
    expect(heard.map(([, message]) => message.toJSON())).toEqual(sent.map((message) => message.toJSON()))
    expect(heard.every(([, message]) => Object.isFrozen(message.data) && !message.isLocal)).toBe(true)
  })

  test('does not hear what its own hub publishes, whether the transport echoes or not', async () => {
    for (const echoes of [false, true]) {
      const hub = hubOn({ transport: memoryBus({ echoes }).transport() })
      const listener = vi.fn()
      const tap = hub.tap(listener)
      await Promise.all([tap.ready, hub.ready()])
      hub.stream('a').publish({})
      await hub.flush()
      await tick()
      expect(listener).not.toHaveBeenCalled()
      expect(tap.ledger().dropped.echo).toBe(echoes ? 1 : 0)
    }
  })

  test('leaves streams, their ledgers and their joins alone', async () => {
    const { here, there, heard, tap, settle } = await tapped()
    const received: unknown[] = []
    await there.stream('a').subscribe(({ data }) => received.push(data)).ready
    for (let n = 0; n < 10; n++) here.stream('a').publish({ n })
    await settle()
    expect(received).toHaveLength(10)
    expect(heard).toHaveLength(10)
    expect(there.ledger()).toMatchObject({ received: 10, delivered: 10, missed: 0 })
    expect(tap.ledger()).toMatchObject({ received: 10, delivered: 10, missed: 0, attempts: 0 })
    expect([...there.streams()].map(({ name }) => name)).toEqual(['a'])
  })

  test('applies no limit, no age and no schema, and takes messages of up to 65 536 bytes', async () => {
    const { heard, tap, take, errors } = await scripted()
    take([1, 2, 3].map((sequence) => entry(sequence, { text: 'x'.repeat(60_000) })))
    take(entry(4, { text: 'x'.repeat(65_536) }))
    for (let sequence = 5; sequence <= 500; sequence++) take(entry(sequence))
    take({ ...entry(501), t: 0 })
    expect(heard).toHaveLength(500)
    expect(tap.ledger()).toMatchObject({ received: 501, delivered: 500, dropped: { tooLarge: 1 }, missed: 0 })
    expectLaws(tap.ledger())
    expect(errors).toEqual([])
  })

  test('counts what is missed although the broker ended the join of a stream meanwhile', async () => {
    const { hub, transport, tap, take } = await scripted()
    take(entry(1))
    await hub.stream('b').subscribe(() => {}).ready
    transport.host.left('rivulet/default/b' as Topic, new Error('no longer allowed'))
    take(entry(4))
    expect(tap.ledger()).toMatchObject({ received: 2, missed: 2 })
  })

  test('counts a newer format and tells no error of it, whatever names a flood has', async () => {
    const { take, tap, errors } = await scripted()
    for (let nth = 0; nth < 100; nth++) take('{"v":2}', `rivulet/default/name${nth}`)
    expect(tap.ledger()).toMatchObject({ received: 100, dropped: { newerFormat: 100 } })
    expect(errors).toEqual([])
  })

  test('drops repeats and what is no message, and counts what is missed and reordered', async () => {
    const { heard, tap, take, hub } = await scripted()
    for (const sequence of [1, 2, 2, 5, 4]) take(entry(sequence))
    take('no frame')
    take({ data: 1 })
    take('{"removed":true,"sid":"TZfeedfacecafebeef0000000000000006","t":9}')
    take(entry(8))
    expect(heard.map(([, data]) => data)).toEqual([1, 2, 5, 4, 8].map((sequence) => ({ sequence })))
    const { missed, reordered, dropped } = tap.ledger()
    expect({ missed, reordered }).toEqual({ missed: 2, reordered: 1 })
    expect(dropped).toMatchObject({ duplicate: 1, malformed: 2 })
    expect(hub.ledger().received).toBe(0)
  })

  test('counts frames of topics that no stream has', async () => {
    const { tap, take } = await scripted()
    for (const topic of [
      'rivulet/default',
      'rivulet/default/',
      'rivulet/default/a/b',
      'x',
      'rivulet/default/%',
    ])
      take(entry(1), topic)
    expect(tap.ledger()).toMatchObject({ received: 5, dropped: { malformed: 5 }, subscribers: 0 })
  })

  test('keeps 4 096 streams: the longest silent one is evicted, its counts stay', async () => {
    const { heard, tap, take } = await scripted()
    take(entry(1), 'rivulet/default/kept')
    take(entry(1), 'rivulet/default/silent')
    take(entry(4), 'rivulet/default/silent')
    for (let n = 0; n < 4_100; n++) {
      take([entry(1), entry(2)], `rivulet/default/s${n}`)
      if (n % 1_000 === 0) take(entry(n + 2), 'rivulet/default/kept')
    }
    expect(heard).toHaveLength(8_208)
    const names = [...tap.streams()].map(({ name }) => name)
    expect(names).toHaveLength(4_096)
    expect([names.includes('kept'), names.includes('silent')]).toEqual([true, false])
    expect(tap.ledger()).toMatchObject({ received: 8_208, delivered: 8_208, subscribers: 4_096 })
    expect(tap.ledger().missed).toBeGreaterThanOrEqual(2)
    expectLaws(tap.ledger())
  })

  test('gives no place to names of which nothing is a message', async () => {
    const { heard, tap, take } = await scripted()
    take(entry(1))
    for (let n = 0; n < 5_000; n++) take('x', `rivulet/default/g${n}`)
    take(entry(2))
    expect(heard).toHaveLength(2)
    expect([...tap.streams()].map(({ name }) => name)).toEqual(['a'])
    expect(tap.ledger()).toMatchObject({ received: 5_002, dropped: { malformed: 5_000 }, subscribers: 1 })
  })

  test('made by a listener of another one hears from the next frame on', async () => {
    const { hub, take } = await scripted()
    let made = 0
    const again = () => {
      made++
      hub.tap(again)
    }
    hub.tap(again)
    take(entry(1))
    expect(made).toBe(1)
  })

  test('reports for each stream its bytes, its publishers and its ledger', async () => {
    const { tap, take } = await scripted()
    const frame = JSON.stringify(entry(1))
    take(frame)
    take('kein Gerüst')
    expect([...tap.streams()]).toMatchObject([
      { name: 'a', bytes: frame.length + 12, publishers: 1, ledger: { received: 2, delivered: 1 } },
    ])
  })

  test('ends at unsubscribe, by its signal, and with the hub: nothing is heard any more', async () => {
    const { bus, here, there, settle } = await tapped()
    const end = new AbortController()
    const heard: string[] = []
    const one = there.tap(() => heard.push('one'))
    const two = there.tap(() => heard.push('two'), { signal: end.signal })
    await Promise.all([one.ready, two.ready])
    one.unsubscribe()
    here.stream('a').publish({})
    await settle()
    end.abort()
    here.stream('a').publish({})
    await settle()
    expect(heard).toEqual(['two'])
    expect([one.closed, two.closed]).toEqual([true, true])
    const three = there.tap(() => heard.push('three'))
    await there.close()
    expect(three.closed).toBe(true)
    expect(() => there.tap(() => {})).toThrow(expect.objectContaining({ code: 'HUB_CLOSED' }))
    expect(bus.counts().inFlight).toBe(0)
  })

  test.each(['unsubscribe', Symbol.dispose] as const)('hears no more of a frame after %s', async (end) => {
    const { hub, take } = await scripted()
    const heard: unknown[] = []
    const tap = hub.tap(({ data }) => {
      heard.push(data)
      tap[end]()
    })
    take([entry(1), entry(2)])
    expect(heard).toHaveLength(1)
    expect(tap.ledger()).toMatchObject({ received: 2, delivered: 1, dropped: { notJoined: 1 } })
  })

  test('counts and reports what its listener throws, and goes on', async () => {
    const transport = new ScriptedTransport()
    const hub = hubOn({ transport })
    const errors: RivuletError[] = []
    hub.on('error', (error) => errors.push(error))
    const tap = hub.tap(() => {
      throw new Error('mine')
    })
    await tap.ready
    transport.host.watched('rivulet/default/a', JSON.stringify(entry(1)))
    transport.host.watched('rivulet/default/a', JSON.stringify(entry(2)))
    expect(errors.map(({ code, stream }) => [code, stream])).toEqual(Array(2).fill(['LISTENER_FAILED', 'a']))
    expect(tap.ledger()).toMatchObject({ delivered: 2, listenerErrors: 2 })
  })
})

describe('watching', () => {
  test('begins again after an outage, and counts no gap over it', async () => {
    const { bus, here, heard, tap, settle } = await tapped()
    const a = here.stream('a')
    a.publish({ n: 1 })
    await settle()
    bus.down()
    a.publish({ n: 2 })
    bus.up()
    await waitFor(() => expect(here.status).toBe('up'), { timeout: 20_000 })
    await waitFor(
      async () => {
        a.publish({ n: 3 })
        await settle()
        expect(heard.length).toBeGreaterThan(1)
      },
      { timeout: 20_000 },
    )
    expect(heard[1]?.[1].data).toEqual({ n: 3 })
    expect(tap.ledger()).toMatchObject({ missed: 0 })
  })

  test('is asked for once for several taps, and ended with the last', async () => {
    const { transport, hub, tap } = await scripted()
    const second = hub.tap(() => {})
    await second.ready
    expect(transport.watches.map(({ topic }) => topic)).toEqual(['default'])
    tap.unsubscribe()
    await tick()
    expect(transport.watches[0]?.signal.aborted).toBe(false)
    second.unsubscribe()
    await tick()
    expect(transport.watches[0]?.signal.aborted).toBe(true)
    expect(transport.left).toEqual([])
  })

  test('says so when the broker denies it, and again when it ends it', async () => {
    const transport = new ScriptedTransport()
    transport.answers.watch = new Error('not allowed')
    const hub = hubOn({ transport })
    const errors: RivuletError[] = []
    hub.on('error', (error) => errors.push(error))
    const tap = hub.tap(() => {})
    await expect(tap.ready).rejects.toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'default' })
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('not allowed')])
    transport.answers.watch = 'resolve'
    await expect(tap.ready).resolves.toBeUndefined()
    transport.answers.watch = 'hang'
    transport.host.left(undefined, new Error('revoked'))
    expect(errors.at(-1)?.message).toContain('revoked')
    await waitFor(() => expect(transport.watches).toHaveLength(3), { timeout: 20_000 })
  })

  test('rejects where the transport cannot watch, and on a hub without a transport', async () => {
    const transport = new ScriptedTransport()
    transport.answers.watch = new Error('this transport cannot watch')
    const hub = hubOn({ transport })
    hub.on('error', () => {})
    await expect(hub.tap(() => {}).ready).rejects.toMatchObject({
      message: expect.stringContaining('this transport cannot watch'),
    })
    const refused = (message: string) => expect.objectContaining({ code: 'INVALID_OPTIONS', message })
    expect(() => hubOn({}).tap(() => {})).toThrow(
      refused('A tap receives messages of other processes; give the hub a transport.'),
    )
    expect(() => hub.tap('x' as never)).toThrow(refused('listener is a function, not "x".'))
    expect(() => hub.tap(() => {}, { signals: 1 } as never)).toThrow(/signals/)
  })
})

test('tapHub taps a hub like the method that it replaces, and takes nothing else', async () => {
  const { here, there, settle } = await tapped()
  const received: unknown[] = []
  const tap = tapHub(there, ({ data }, stream) => received.push([stream, data]))
  await tap.ready
  here.stream('a').publish({ n: 1 })
  await settle()
  expect(received).toEqual([['a', { n: 1 }]])
  expect(() => tapHub({} as Hub, () => {})).toThrow(
    'tapHub takes a hub of createHub or openHub, not an object.',
  )
})

test('a tap throws nothing, delivers nothing twice, and adds up, on any input', async () => {
  const frame = fc.oneof(
    fc.string(),
    fc.integer({ min: 1, max: 40 }).map((sequence) => JSON.stringify(entry(sequence))),
    fc
      .array(fc.integer({ min: 1, max: 40 }))
      .map((all) => JSON.stringify(all.map((sequence) => entry(sequence)))),
  )
  const topic = fc.oneof(fc.string(), fc.constantFrom('rivulet/default/a', 'rivulet/default/b'))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(topic, frame), { maxLength: 30 }), async (frames) => {
      const { heard, tap, take, hub } = await scripted()
      for (const [name, text] of frames) take(text, name)
      expectLaws(tap.ledger())
      expect(new Set(heard.map((each) => JSON.stringify(each))).size).toBe(heard.length)
      await hub.close()
    }),
    { numRuns: 200 },
  )
})
