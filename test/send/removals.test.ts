import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type HubOptions, type Stream, type StreamOptions } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectLaws } from '../support/ledger-laws.ts'
import { tick } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

interface Scene {
  readonly hub: Hub
  readonly transport: ScriptedTransport
  readonly errors: unknown[]
  open(name?: string, options?: StreamOptions): Stream
  /** Whether each frame sent since is a removal. */
  readonly removals: boolean[]
}

/** A hub that was up and is down: the next dial is answered by hand, and takes 5 s at the most to come. */
async function openDown(options: HubOptions = {}): Promise<Scene> {
  const scene = openScene(options)
  await scene.hub.ready()
  await goDown(scene)
  return scene
}

function openScene(options: HubOptions = {}): Scene {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport, ...options })
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  return {
    hub,
    transport,
    errors,
    open: (name = 'scene', options) => hub.stream(name, options) as Stream,
    get removals() {
      return transport.frames.map((frame) => (frame as { removed?: boolean }).removed === true)
    },
  }
}

async function goDown({ transport, errors }: Scene): Promise<void> {
  transport.answers.open = 'hang'
  transport.host.down(new Error('gone'))
  await tick()
  errors.length = 0
}

/** Answers the dial that is under way, or the next one. */
async function comeUp({ hub, transport }: Scene, isSoon = true): Promise<void> {
  transport.answers.open = 'resolve'
  transport.opens.at(-1)?.resolve()
  const ready = hub.ready()
  await vi.advanceTimersByTimeAsync(isSoon ? 3_000 : 60_000)
  await ready
  await vi.advanceTimersByTimeAsync(60_000)
}

const LOST = { code: 'LOST', stream: 'scene', hub: 'default' }

describe('a removal while the broker is away', () => {
  test('is sent once when the hub is up again, as the number after the last message', async () => {
    const scene = openScene()
    await scene.hub.ready()
    const stream = scene.open()
    const { sid } = stream.publish({})
    await tick()
    await goDown(scene)
    stream.remove()
    await tick()
    expect(scene.removals).toEqual([false])
    await comeUp(scene)
    expect(scene.removals).toEqual([false, true])
    expect(scene.transport.frames[1]).toMatchObject({ sid: `${sid.slice(0, -1)}2` })
    await goDown(scene)
    await comeUp(scene)
    expect(scene.removals).toEqual([false, true])
    expect(scene.hub.ledger().lostRemovals).toBe(0)
    expect(scene.errors).toEqual([])
  })

  test('reaches the other processes of a bus that the hub was cut off from', async () => {
    const bus = memoryBus()
    const transport = bus.transport()
    const open = transport.open.bind(transport)
    let down: () => void = () => {}
    transport.open = (host, signal) => {
      down = () => host.down(new Error('gone'))
      return open(host, signal)
    }
    const [here, there] = [createHub({ transport }), createHub({ transport: bus.transport() })]
    for (const hub of [here, there]) hub.on('error', () => {})
    const [near, far] = [here.stream('s'), there.stream('s')]
    await far.subscribe(() => {}).ready
    await here.ready()
    near.publish({})
    await vi.advanceTimersByTimeAsync(100)
    down()
    await tick()
    near.remove()
    await tick()
    expect([here.status, far.closed]).toEqual(['down', false])
    await vi.advanceTimersByTimeAsync(4_000)
    expect(far.closed).toBe(true)
  })

  test('is sent when a hub is up that never was before', async () => {
    const scene = openScene()
    scene.open().remove()
    expect(scene.transport.sent).toEqual([])
    await scene.hub.ready()
    expect(scene.removals).toEqual([true])
  })

  test('is never sent when it is older than maxAgeMs, but counted and told', async () => {
    const scene = await openDown()
    const stream = scene.open('scene', { maxAgeMs: 3_000 })
    stream.remove()
    await vi.advanceTimersByTimeAsync(2_999)
    expect([stream.ledger().lostRemovals, scene.errors]).toEqual([0, []])
    await vi.advanceTimersByTimeAsync(1)
    expect([stream.ledger().lostRemovals, scene.hub.ledger().lostRemovals]).toEqual([1, 1])
    expect(scene.errors).toMatchObject([{ ...LOST, reason: 'offline' }])
    expect(String(scene.errors[0])).toContain('The removal did not reach the broker (offline)')
    await comeUp(scene)
    expect(scene.removals).toEqual([])
    expect(scene.errors).toHaveLength(1)
    expectLaws(scene.hub.ledger())
  })

  test('waits as long as it takes with maxAgeMs false', async () => {
    const scene = await openDown()
    scene.open('scene', { maxAgeMs: false }).remove()
    await vi.advanceTimersByTimeAsync(3_600_000)
    await comeUp(scene, false)
    expect(scene.removals).toEqual([true])
  })

  test('does not end a stream of that name that was opened since: it is counted and told', async () => {
    const scene = await openDown()
    scene.open().remove()
    scene.open()
    await comeUp(scene)
    expect(scene.removals).toEqual([])
    expect(scene.hub.ledger().lostRemovals).toBe(1)
    expect(scene.errors).toMatchObject([{ ...LOST, message: expect.stringContaining('open again since') }])
  })

  test('takes the place of one that waits under the same name', async () => {
    const scene = await openDown()
    scene.open().remove()
    scene.open().remove()
    await comeUp(scene)
    expect(scene.removals).toEqual([true])
    expect(scene.hub.ledger().lostRemovals).toBe(0)
  })

  test('is not tried a third time', async () => {
    const scene = await openDown()
    scene.open().remove()
    scene.transport.sending = 'offline'
    await comeUp(scene)
    expect(scene.errors).toMatchObject([{ ...LOST, reason: 'offline' }])
    scene.transport.sending = 'sent'
    await goDown(scene)
    await comeUp(scene)
    expect(scene.transport.sent).toEqual([])
    expect(scene.hub.ledger().lostRemovals).toBe(1)
  })

  test('is counted and told when the hub is closed first, and leaves no timer', async () => {
    const scene = await openDown()
    scene.open().remove()
    const closed = scene.hub.close()
    await vi.advanceTimersByTimeAsync(5_000)
    expect((await closed).lostRemovals).toBe(1)
    expect(scene.errors).toMatchObject([LOST])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is one of a thousand that wait at the most', async () => {
    const scene = await openDown()
    for (let n = 0; n < 1_001; n++) scene.open(`${n}`, { maxAgeMs: false }).remove()
    expect(scene.errors).toMatchObject([{ code: 'LOST', stream: '0' }])
    await comeUp(scene)
    expect(scene.removals).toHaveLength(1_000)
    expect(scene.hub.ledger().lostRemovals).toBe(1)
  })

  test('goes under a new origin when the broker gives another prefix', async () => {
    const scene = openScene()
    const prefixed = (prefix: string) =>
      Object.assign(scene.transport, {
        capabilities: { ...scene.transport.capabilities, prefixes: [prefix] },
      })
    prefixed('aaaaaaaaaaaa')
    await scene.hub.ready()
    const stream = scene.open()
    stream.publish({})
    await tick()
    await goDown(scene)
    stream.remove()
    prefixed('bbbbbbbbbbbb')
    await comeUp(scene)
    const sids = scene.transport.frames.map((frame) => (frame as { sid: string }).sid.slice(0, 14))
    expect(sids).toEqual(['TZaaaaaaaaaaaa', 'TZbbbbbbbbbbbb'])
  })
})

describe('a removal while the hub is up', () => {
  test('is counted and told at once when the transport fails', async () => {
    const scene = openScene()
    await scene.hub.ready()
    scene.transport.sending = new Error('broken')
    scene.open().remove()
    await tick()
    expect(scene.hub.ledger().lostRemovals).toBe(1)
    expect(scene.errors).toMatchObject([{ ...LOST, reason: 'failed' }, { code: 'TRANSPORT_FAILED' }])
  })

  test('for which there is no room on the way is sent when there is', async () => {
    const scene = openScene({ maxInFlightBytes: 1024 })
    await scene.hub.ready()
    scene.transport.answers.flush = 'hang'
    const stream = scene.open('scene', { limit: false, batch: false })
    for (let n = 0; n < 30; n++) stream.publish({})
    expect(stream.ledger().lost.congested).toBeGreaterThan(0)
    stream.remove()
    await tick()
    expect(scene.removals).not.toContain(true)
    scene.transport.answers.flush = 'resolve'
    for (const flush of scene.transport.flushes) flush.resolve()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(scene.removals.filter(Boolean)).toHaveLength(1)
    expect([scene.errors, scene.hub.ledger().lostRemovals]).toEqual([[], 0])
  })

  test('without a listener writes one line to the console', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => {})
    const transport = new ScriptedTransport()
    transport.answers.open = 'hang'
    const hub = createHub({ transport })
    for (const name of ['a', 'b']) hub.stream(name).remove()
    await vi.advanceTimersByTimeAsync(4_999)
    expect(written).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    const texts = written.mock.calls.map((call) => String(call.at(-1)))
    expect(texts.filter((text) => text.includes('removal'))).toHaveLength(1)
    expect(hub.ledger().lostRemovals).toBe(2)
    written.mockRestore()
  })
})
