import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream } from 'rivulet'
import { finalize } from 'rxjs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openScene, wire } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const gone = new Error('teardown')
const fail = () => {
  throw gone
}

/** Subscribes by RxJS with a teardown that throws, and by an iterator after it. */
function occupy(stream: Stream) {
  const errors: unknown[] = []
  const removed = vi.fn()
  stream.on('error', (error) => errors.push(error))
  stream.on('removed', removed)
  stream.messages$.subscribe(() => {}).add(fail)
  stream.messages$.pipe(finalize(fail)).subscribe()
  return { errors, removed, next: stream.iterate().next() }
}

describe('a teardown of RxJS that throws', () => {
  test('during a removal is counted and reported, and ends every later subscriber', async () => {
    const stream = createHub().stream('scene')
    const { errors, removed, next } = occupy(stream as unknown as Stream)
    stream.remove()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(removed).toHaveBeenCalledWith({ reason: 'removed', isLocal: true })
    expect(errors).toMatchObject([{ code: 'LISTENER_FAILED' }, { code: 'LISTENER_FAILED' }])
    expect(stream.ledger().listenerErrors).toBe(2)
  })

  test('as the hub closes does not keep it from closing its connection', async () => {
    const bus = memoryBus()
    const hub = createHub({ transport: bus.transport() })
    await hub.ready()
    occupy(hub.stream('scene') as unknown as Stream)
    expect((await hub.close()).listenerErrors).toBe(2)
    expect(hub.status).toBe('closed')
  })

  test('as another process removes the stream does not reach the transport', async () => {
    const scene = await openScene()
    const { removed } = occupy(scene.stream)
    scene.receive({ removed: true, sid: wire(1).sid, t: 0 })
    expect(removed).toHaveBeenCalledWith({ reason: 'removed', isLocal: false })
  })

  test('as the stream expires is no uncaught exception', async () => {
    const stream = createHub().stream('scene', { ttlSeconds: 1 })
    const { removed } = occupy(stream as unknown as Stream)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(removed).toHaveBeenCalledWith({ reason: 'expired', isLocal: true })
  })
})
