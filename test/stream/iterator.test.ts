import { createHub, type IterateOptions, type Message, type Stream } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { expectLaws } from '../support/ledger-laws.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

interface Data {
  readonly n: number
  readonly key?: string
}

function streamOf(): Stream<Data, Data> {
  return createHub().stream<Data, Data>('s', { limit: false })
}

function publishAll(stream: Stream<Data, Data>, ...numbers: number[]): void {
  for (const n of numbers) stream.publish({ n })
}

/** Reads to the end. */
async function rest(iterator: AsyncIterable<Message<Data>>): Promise<number[]> {
  const numbers: number[] = []
  for await (const { data } of iterator) numbers.push(data.n)
  return numbers
}

describe('iterate', () => {
  test('subscribes at the call, not at the first next', async () => {
    const stream = streamOf()
    publishAll(stream, 0)
    const iterator = stream.iterate()
    expect(stream.ledger().subscribers).toBe(1)
    publishAll(stream, 1, 2)
    stream.close()
    expect(await rest(iterator)).toEqual([1, 2])
  })

  test('is what for await over the stream does', async () => {
    const stream = streamOf()
    const seen: number[] = []
    queueMicrotask(() => publishAll(stream, 1, 2, 3))
    for await (const { data } of stream) {
      seen.push(data.n)
      if (data.n === 2) break
    }
    expect(seen).toEqual([1, 2])
    expect(stream.ledger()).toMatchObject({ subscribers: 0, iteratorDrops: 1 })
  })

  test('lets concurrent calls of next queue', async () => {
    const stream = streamOf()
    const iterator = stream.iterate()
    const reads = [iterator.next(), iterator.next(), iterator.next()]
    publishAll(stream, 1, 2)
    stream.close()
    const results = await Promise.all(reads)
    expect(results.map(({ done, value }) => (done ? 'done' : value?.data.n))).toEqual([1, 2, 'done'])
  })

  test('holds 256 messages by default, and drops and counts the oldest past that', async () => {
    const stream = streamOf()
    const iterator = stream.iterate()
    publishAll(stream, ...Array.from({ length: 300 }, (_, n) => n))
    expect(stream.ledger().iteratorDrops).toBe(44)
    stream.close()
    expect(await rest(iterator)).toEqual(Array.from({ length: 256 }, (_, n) => n + 44))
  })

  const policies: readonly [what: string, options: IterateOptions<Data>, kept: number[], drops: number][] = [
    ['drops the oldest', { buffer: 2, overflow: 'dropOldest' }, [3, 4], 2],
    ['drops the newest', { buffer: 2, overflow: 'dropNewest' }, [1, 2], 2],
    ['keeps the latest of all without a key', { buffer: 2, overflow: 'latest' }, [4], 3],
    [
      'keeps the latest of each key, in the place of the first',
      { overflow: 'latest', key: ({ data }) => data.n % 3 },
      [4, 2, 3],
      1,
    ],
    [
      'drops the older message of a key alone when the buffer is full',
      { buffer: 2, overflow: 'latest', key: ({ data }) => data.n > 1 },
      [1, 4],
      2,
    ],
    [
      'drops the oldest key when there are too many',
      { buffer: 2, overflow: 'latest', key: ({ data }) => data.n },
      [3, 4],
      2,
    ],
  ]
  test.each(policies)('%s, and counts what it drops', async (_, options, kept, drops) => {
    const stream = streamOf()
    const iterator = stream.iterate(options)
    publishAll(stream, 1, 2, 3, 4)
    stream.close()
    expect(await rest(iterator)).toEqual(kept)
    expect(stream.ledger().iteratorDrops).toBe(drops)
  })

  test('drops nothing that a waiting reader takes', async () => {
    const stream = streamOf()
    const iterator = stream.iterate({ buffer: 1 })
    const reads = [1, 2, 3].map(() => iterator.next())
    publishAll(stream, 1, 2, 3)
    expect((await Promise.all(reads)).map(({ value }) => value?.data.n)).toEqual([1, 2, 3])
    expect(stream.ledger().iteratorDrops).toBe(0)
  })

  test('settles return at once even when idle, ends pending reads, and leaves the stream', async () => {
    const stream = streamOf()
    const iterator = stream.iterate()
    const reads = [iterator.next(), iterator.next()]
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await Promise.all(reads)).toEqual(Array(2).fill({ done: true, value: undefined }))
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(stream.ledger().subscribers).toBe(0)
    publishAll(stream, 1)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('on close gives what is buffered first, then done, for good', async () => {
    const stream = streamOf()
    const iterator = stream.iterate()
    publishAll(stream, 1, 2)
    stream.close()
    expect((await iterator.next()).value?.data.n).toBe(1)
    expect((await iterator.next()).value?.data.n).toBe(2)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger().iteratorDrops).toBe(0)
  })

  test('on remove and on the close of the hub ends as well', async () => {
    const hub = createHub()
    const [a, b] = [hub.stream('a').iterate(), hub.stream('b').iterate()]
    hub.stream('a').remove()
    await hub.close()
    expect(await a.next()).toEqual({ done: true, value: undefined })
    expect(await b.next()).toEqual({ done: true, value: undefined })
  })

  test('takes a return inside the close of its stream as the end, once', async () => {
    const stream = streamOf()
    stream.messages$.subscribe({ complete: () => void iterator.return?.() })
    const iterator = stream.iterate()
    publishAll(stream, 1)
    stream.close()
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger()).toMatchObject({ iteratorDrops: 1, subscribers: 0 })
  })

  test('discards and counts the buffer at an abort, and ends', async () => {
    const stream = streamOf()
    const controller = new AbortController()
    const iterator = stream.iterate({ signal: controller.signal })
    publishAll(stream, 1, 2)
    controller.abort()
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger()).toMatchObject({ iteratorDrops: 2, subscribers: 0 })
  })

  test('discards what is left at an abort after the stream closed', async () => {
    const stream = streamOf()
    const controller = new AbortController()
    const iterator = stream.iterate({ signal: controller.signal })
    publishAll(stream, 1, 2)
    stream.close()
    await iterator.next()
    controller.abort()
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger().iteratorDrops).toBe(1)
  })

  test('is done at once for a signal that has aborted', async () => {
    const stream = streamOf()
    const iterator = stream.iterate({ signal: AbortSignal.abort() })
    publishAll(stream, 1)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger()).toMatchObject({ subscribers: 0, iteratorDrops: 0 })
  })

  test('lets go of the signal once its reader has everything, and not before', async () => {
    const stream = streamOf()
    const { signal } = new AbortController()
    const removed = vi.spyOn(signal, 'removeEventListener')
    const iterator = stream.iterate({ signal })
    publishAll(stream, 1)
    stream.close()
    expect(removed).not.toHaveBeenCalled()
    await iterator.next()
    expect(removed).toHaveBeenCalledTimes(1)
    const other = streamOf().iterate({ signal })
    await other.return?.()
    expect(removed).toHaveBeenCalledTimes(2)
  })

  test('shares one listener on a signal among all iterators of a stream', () => {
    const stream = streamOf()
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    for (let nth = 0; nth < 100; nth++) stream.iterate({ signal })
    expect(added).toHaveBeenCalledTimes(1)
  })

  test('gives every reader every message', async () => {
    const stream = streamOf()
    const readers = [stream.iterate(), stream.iterate(), stream.iterate({ buffer: 1 })]
    publishAll(stream, 1, 2)
    stream.close()
    expect(await Promise.all(readers.map(rest))).toEqual([[1, 2], [1, 2], [2]])
  })

  test('counts a key function that throws, and goes on', async () => {
    const stream = streamOf()
    stream.on('error', () => {})
    const key = ({ data }: Message<Data>) => {
      if (data.n === 1) throw new Error('no key')
      return data.n
    }
    const iterator = stream.iterate({ overflow: 'latest', key })
    publishAll(stream, 1, 2)
    expect(stream.ledger().listenerErrors).toBe(1)
    expect((await iterator.next()).value?.data.n).toBe(2)
  })

  test.each<[object, string]>([
    [{ buffer: 0 }, 'buffer is a whole number from 1, not 0.'],
    [{ buffer: 1.5 }, 'not 1.5.'],
    [{ buffer: Number.NaN }, 'not NaN.'],
    [{ buffer: Infinity }, 'not Infinity.'],
    [{ buffer: '9' }, 'not "9".'],
    [{ overflow: 'block' }, `overflow is 'dropOldest' or 'dropNewest' or 'latest', not "block".`],
    [{ overflow: {} }, 'not an object.'],
    [{ overflow: 'latest', key: 'n' }, 'key is a function, not "n".'],
  ])('refuses the options %j: INVALID_OPTIONS, without a subscription', (options, message) => {
    const stream = streamOf()
    expect(() => stream.iterate(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message) }),
    )
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('counts in dropped what its own buffer drops, not that of another', async () => {
    const stream = streamOf()
    const [small, large] = [stream.iterate({ buffer: 1 }), stream.iterate()]
    expect(small.dropped).toBe(0)
    publishAll(stream, 1, 2, 3)
    expect([small.dropped, large.dropped]).toEqual([2, 0])
    await small.return()
    expect([small.dropped, stream.ledger().iteratorDrops]).toEqual([3, 3])
  })

  test('has a ready that resolves when the join is confirmed, rejects on an early end', async () => {
    await expect(streamOf().iterate().ready).resolves.toBeUndefined()
    const transport = new ScriptedTransport()
    transport.answers.join = 'hang'
    const hub = createHub({ transport })
    await hub.ready()
    const [joined, ended] = [hub.stream('joined').iterate(), hub.stream('ended').iterate()]
    const { ready } = joined
    const { ready: never } = ended
    await ended.return()
    await expect(never).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    await Promise.resolve()
    transport.joins[0]?.resolve()
    await expect(ready).resolves.toBeUndefined()
    await hub.close()
  })

  test('throws on a closed stream', () => {
    const stream = streamOf()
    stream.close()
    expect(() => stream.iterate()).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
  })

  test('reads a hundred thousand messages through a deep buffer in order', async () => {
    const stream = streamOf()
    const iterator = stream.iterate({ buffer: 100_000 })
    for (let n = 0; n < 100_000; n++) stream.publish({ n })
    stream.close()
    const numbers = await rest(iterator)
    expect(numbers.length).toBe(100_000)
    expect(numbers.every((n, nth) => n === nth)).toBe(true)
    expectLaws(stream.ledger())
  })

  test('buffers nothing more when finding the key ends it', async () => {
    const stream = streamOf()
    const iterator = stream.iterate({
      overflow: 'latest',
      key: () => void iterator.return?.(),
    })
    publishAll(stream, 1)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger().iteratorDrops).toBe(1)
  })

  test('gives nothing after done when finding the key closes the stream', async () => {
    const stream = streamOf()
    const iterator = stream.iterate({ overflow: 'latest', key: () => stream.close() })
    const waiting = iterator.next()
    publishAll(stream, 1)
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect([iterator.dropped, stream.ledger().iteratorDrops]).toEqual([1, 1])
  })

  test('hands over nothing that an earlier listener of its signal publishes', async () => {
    const stream = streamOf()
    const controller = new AbortController()
    controller.signal.addEventListener('abort', () => publishAll(stream, 1))
    const iterator = stream.iterate(controller)
    const waiting = iterator.next()
    controller.abort()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger()).toMatchObject({ subscribers: 0, iteratorDrops: 0 })
  })

  test('leaves no subscriber behind when reading its signal throws', () => {
    const stream = streamOf()
    const mine = new Error('mine')
    const signal = Object.defineProperty(new AbortController().signal, 'aborted', {
      get() {
        throw mine
      },
    })
    expect(() => stream.iterate({ signal })).toThrow(mine)
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('keeps its order when finding the key reads', async () => {
    const stream = streamOf()
    const read: Promise<IteratorResult<Message<Data>>>[] = []
    const iterator = stream.iterate({ overflow: 'latest', key: () => read.push(iterator.next()) })
    publishAll(stream, 1, 2)
    const numbers = (await Promise.all(read)).map(({ value }) => value.data.n)
    expect(numbers).toEqual([1, 2])
  })
})

test('an iterator that is told of an error by throw ends, and rejects with it', async () => {
  const stream = streamOf()
  const iterator = stream.iterate()
  publishAll(stream, 1, 2)
  const cause = new Error('mine')
  await expect(iterator.throw(cause)).rejects.toBe(cause)
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
  expect(stream.ledger()).toMatchObject({ subscribers: 0, iteratorDrops: 2 })
  await expect(iterator.throw(cause)).rejects.toBe(cause)
})
