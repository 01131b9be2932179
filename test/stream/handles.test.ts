import { createHub, RivuletError, type Stream } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { schemaOf } from '../support/schemas.ts'

const released =
  'The handle is released; get another one with hub.acquire(name). (stream "s" of hub "default")'

describe('a handle of a stream', () => {
  test('shares the stream with the other handles, and the last one ends it', () => {
    const hub = createHub()
    const [a, b] = [hub.acquire<{ n: number }>('s'), hub.acquire<{ n: number }>('s')]
    const { stream } = a
    const closed = vi.fn()
    const seen = vi.fn()
    stream.on('closed', closed)
    b.stream.subscribe(({ data }) => seen(data))
    expect(b.stream).toBe(stream)
    a.release()
    stream.publish({ n: 1 })
    expect([stream.closed, seen.mock.calls]).toEqual([false, [[{ n: 1 }]]])
    b.release()
    expect(stream.closed).toBe(true)
    expect(closed.mock.calls).toEqual([[{ reason: 'released', isLocal: true }]])
    expect([...hub.streams()]).toEqual([])
  })

  test('counts one release, however often it is released', () => {
    const hub = createHub()
    const [a, b] = [hub.acquire('s'), hub.acquire('s')]
    const { stream } = b
    a.release()
    a.release()
    a[Symbol.dispose]()
    expect([a.released, b.released, stream.closed]).toEqual([true, false, false])
    b[Symbol.dispose]()
    expect([b.released, stream.closed]).toEqual([true, true])
  })

  test('has no stream any more once it is released, and says so', () => {
    const hub = createHub()
    const [a, b] = [hub.acquire('s'), hub.acquire('s')]
    a.release()
    expect(() => a.stream).toThrow(RivuletError)
    expect(() => a.stream).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED', message: released }))
    expect(b.stream.closed).toBe(false)
  })

  test('opens the stream with its options, which later ones must have', () => {
    const hub = createHub({ streamDefaults: { maxBytes: 50 } })
    const schema = schemaOf((value) => ({ value }))
    const { stream } = hub.acquire('s', { schema, maxBytes: 10 })
    expect(stream.tryPublish({ long: 'long' })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
    expect(hub.acquire('s', { schema }).stream).toBe(stream)
    const conflict = expect.objectContaining({ code: 'STREAM_OPTIONS_CONFLICT' })
    expect(() => hub.acquire('s', { maxBytes: 11 })).toThrow(conflict)
    expect(() => hub.acquire('')).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }))
  })

  test.each<[string, (stream: Stream) => void, string]>([
    ['closed', (stream) => stream.close(), 'closed'],
    ['removed', (stream) => stream.remove(), 'removed'],
  ])('of a stream that was %s releases nothing of the next stream of the name', (_, end, reason) => {
    const hub = createHub()
    const old = hub.acquire('s')
    const closed = vi.fn()
    old.stream.on('closed', closed)
    end(old.stream as Stream)
    const next = hub.acquire('s')
    old.release()
    expect(next.stream.closed).toBe(false)
    expect(closed.mock.calls).toEqual([[{ reason, isLocal: true }]])
    next.release()
    expect([...hub.streams()]).toEqual([])
  })

  test('may be released while the hub closes, and after that', async () => {
    const hub = createHub()
    const [a, b] = [hub.acquire('s'), hub.acquire('s')]
    const { stream } = b
    stream.on('closed', () => a.release())
    await hub.close()
    b.release()
    expect([a.released, b.released, stream.closed]).toEqual([true, true, true])
  })

  test('may be released by a subscriber: those behind it are not called any more', () => {
    const handle = createHub().acquire('s')
    const late = vi.fn()
    handle.stream.subscribe(() => handle.release())
    handle.stream.subscribe(late)
    handle.stream.publish({})
    expect([handle.released, late.mock.calls]).toEqual([true, []])
  })
})

describe('a stream that hub.stream gave out', () => {
  test.each<[string, boolean]>([
    ['before its handles', true],
    ['after its first handle', false],
  ])('%s does not end with the last of them', (_, isFirst) => {
    const hub = createHub()
    const first = isFirst ? undefined : hub.acquire('s')
    const stream = hub.stream('s')
    const handle = hub.acquire('s')
    expect(handle.stream).toBe(stream)
    handle.release()
    first?.release()
    expect(stream.closed).toBe(false)
    hub.acquire('s').release()
    expect(hub.stream('s')).toBe(stream)
    stream.close()
    expect(hub.acquire('s').stream).not.toBe(stream)
  })

  test('while the options of a handle are read does not end with that handle', () => {
    const hub = createHub()
    let inner: unknown
    const handle = hub.acquire('s', {
      get maxBytes() {
        inner = hub.stream('s', { maxBytes: 100 })
        return 100
      },
    })
    const { stream } = handle
    handle.release()
    expect([stream === inner, stream.closed]).toEqual([true, false])
  })

  test('with options in conflict still ends with its last handle', () => {
    const hub = createHub()
    const handle = hub.acquire('s')
    const { stream } = handle
    expect(() => hub.stream('s', { maxBytes: 100 })).toThrow('another maxBytes')
    handle.release()
    expect(stream.closed).toBe(true)
  })
})
