import type { Topic } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { away, type Linked, link, refused, untilNextOpen } from '../support/linked-hub.ts'
import { expectLawful, openScene, stateOf, tick } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const TOPIC = 'rivulet/default/scene' as Topic

describe('every wait has a deadline', () => {
  // RELIABILITY 7, 8
  test('opening is given up after 20 s and tried again', async () => {
    const linked = link({ open: 'hang' })
    await vi.advanceTimersByTimeAsync(19_999)
    expect(linked.errors).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(linked.errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE' }])
    expect(linked.transport.opens[0]?.signal.aborted).toBe(true)
    await untilNextOpen(linked, 1_000)
    linked.transport.opens[0]?.resolve() // deaf to its signal, and late: it brings nothing up
    await tick()
    expect(linked.hub.status).toBe('down')
    linked.transport.opens[1]?.resolve()
    await tick()
    expect(linked.hub.status).toBe('up')
  })

  test('an old connection that does not close delays the next one by a second at most', async () => {
    const linked = link()
    await linked.hub.ready()
    linked.transport.answers.close = 'hang'
    linked.transport.host.down()
    await tick()
    expect(await untilNextOpen(linked, 5_000)).toBeLessThanOrEqual(1_201)
  })

  test('an opening that throws, and a close that rejects or throws, are outages', async () => {
    const linked = link({ close: new Error('no') })
    await linked.hub.ready()
    linked.transport.host.down()
    linked.transport.open = () => {
      throw new Error('thrown')
    }
    linked.transport.close = () => {
      throw new Error('thrown')
    }
    await vi.advanceTimersByTimeAsync(2_000)
    expect(linked.errors.at(-1)).toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      cause: { message: 'thrown' },
    })
    const closing = linked.hub.close()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await stateOf(closing)).toBe('resolved')
  })

  test('what is not an error is named as an outage too', async () => {
    const { errors, transport } = link({ open: 'hang' })
    transport.opens[0]?.reject('odd' as never)
    await tick()
    expect(errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE', cause: 'odd' }])
  })
})

describe('close', () => {
  type Prepare = (linked: Linked) => Promise<void> | void
  const deaf: Linked['transport']['answers'] = {
    open: 'hang',
    join: 'hang',
    watch: 'hang',
    flush: 'hang',
    close: 'hang',
  }
  const states: [string, Prepare][] = [
    ['while it opens', () => {}],
    [
      'while it joins again',
      async (linked) => {
        linked.hub.stream('scene').subscribe(() => {})
        linked.transport.opens[0]?.resolve()
        await tick()
      },
    ],
    [
      'while it is up',
      async ({ hub, transport }) => {
        transport.opens[0]?.resolve()
        await hub.ready()
      },
    ],
    [
      'with messages in flight',
      async ({ hub, transport }) => {
        transport.opens[0]?.resolve()
        await hub.ready()
        hub.stream('scene').publish({})
        await tick()
        hub.stream('scene').publish({})
      },
    ],
    [
      'while an old connection does not close',
      async ({ hub, transport }) => {
        transport.opens[0]?.resolve()
        await hub.ready()
        transport.host.down()
        await tick()
      },
    ],
    [
      'while it waits to try again',
      async ({ transport }) => {
        transport.answers.close = 'resolve'
        transport.opens[0]?.reject(away)
        await tick()
        transport.answers.close = 'hang'
      },
    ],
    [
      'while a fatal refusal stands',
      async ({ transport }) => {
        transport.answers.close = 'resolve'
        transport.opens[0]?.reject(refused())
        await tick()
        transport.answers.close = 'hang'
      },
    ],
  ]

  test.each(states)(
    'is bounded in time %s, whatever the broker does, and leaves no timer',
    async (_, prepare) => {
      const linked = link(deaf)
      await prepare(linked)
      const { hub, transport } = linked
      const startMs = performance.now()
      const closing = hub.close()
      expect(hub.status).toBe('closed')
      while ((await stateOf(closing)) === 'pending') await vi.advanceTimersByTimeAsync(10)
      expect(performance.now() - startMs).toBeLessThanOrEqual(5_000)
      const ledger = await closing
      expectLawful(ledger)
      expect(ledger.inFlight).toBe(0)
      const opens = transport.opens.length
      for (const call of [transport.opens, transport.joins, transport.flushes, transport.closes].flat())
        call.resolve()
      await vi.advanceTimersByTimeAsync(120_000)
      expect(vi.getTimerCount()).toBe(0)
      expect(transport.opens).toHaveLength(opens)
      expect(linked.statuses.at(-1)).toBe('closed')
      expect(await hub.close()).toEqual(ledger)
    },
  )

  // RELIABILITY 30
  test('flushes what was published and counts it confirmed', async () => {
    const scene = await openScene({ limit: false })
    for (let n = 0; n < 1_000; n++) scene.stream.publish({ n })
    const closing = scene.hub.close()
    await vi.advanceTimersByTimeAsync(100)
    expect(await closing).toMatchObject({ accepted: 1_000, confirmed: 1_000, inFlight: 0, unconfirmed: 0 })
    const { log } = scene.transport
    expect(log.at(-1)).toBe('close')
    expect(log.lastIndexOf('flush')).toBeGreaterThan(log.lastIndexOf('send'))
    expect(scene.transport.closes[0]?.signal.aborted).toBe(false)
  })

  test('lets the transport hand over for a second, then tells it to stop', async () => {
    const scene = await openScene()
    scene.transport.answers.close = 'hang'
    const closing = scene.hub.close()
    await vi.advanceTimersByTimeAsync(999)
    expect(scene.transport.closes[0]?.signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(scene.transport.closes[0]?.signal.reason).toMatchObject({
      message: 'Handing over took more than 1000 ms; check that the broker answers',
    })
    expect(await stateOf(closing)).toBe('pending')
    scene.transport.closes[0]?.resolve()
    expect(await stateOf(closing)).toBe('resolved')
  })

  test('ends the back-off at once', async () => {
    const { hub, transport } = link({ open: away })
    await tick()
    expect(vi.getTimerCount()).toBe(1)
    await hub.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(transport.opens).toHaveLength(1)
  })

  // RELIABILITY 31
  test('is final: no frame is taken, no event comes, every call gives HUB_CLOSED', async () => {
    const scene = await openScene()
    const events: unknown[] = []
    scene.hub.on('status', (status) => events.push(status))
    await scene.hub.close()
    scene.hub.off('status', () => {})
    scene.receive({ data: {} })
    scene.transport.host.down()
    scene.transport.host.error(TOPIC, new Error('late'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect([events, scene.heard, scene.errors]).toEqual([['closed'], [], []])
    expect(() => scene.stream.publish({})).toThrow(expect.objectContaining({ code: 'HUB_CLOSED' }))
    expect(() => scene.hub.stream('another')).toThrow(expect.objectContaining({ code: 'HUB_CLOSED' }))
    await expect(scene.hub.flush()).rejects.toMatchObject({ code: 'HUB_CLOSED' })
    await expect(scene.hub.ready()).rejects.toMatchObject({ code: 'HUB_CLOSED' })
    expect(scene.transport.opens).toHaveLength(1)
  })
})
