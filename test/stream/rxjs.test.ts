import { memoryBus } from '@rivulet/memory'
import { createHub, type RivuletError, type Stream } from 'rivulet'
import {
  bufferTime,
  config,
  firstValueFrom,
  from,
  map,
  of,
  Subject,
  take,
  throttleTime,
  throwError,
  toArray,
} from 'rxjs'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { pass, stopTime, tick } from '../support/fake-time.ts'

stopTime()
afterEach(() => {
  config.onUnhandledError = null
})

function streamOf(): Stream<{ n: number }, { n: number }> {
  return createHub().stream<{ n: number }, { n: number }>('s', { limit: false })
}

describe('messages$', () => {
  test('gives every message since the subscription, to every subscriber, in order', () => {
    const stream = streamOf()
    const seen: string[] = []
    stream.publish({ n: 0 })
    stream.messages$.subscribe(({ data }) => seen.push(`a${data.n}`))
    stream.subscribe(({ data }) => seen.push(`b${data.n}`))
    const last = stream.messages$.subscribe(({ data }) => seen.push(`c${data.n}`))
    stream.publish({ n: 1 })
    last.unsubscribe()
    stream.publish({ n: 2 })
    expect(seen).toEqual(['a1', 'b1', 'c1', 'a2', 'b2'])
    expect(stream.ledger().subscribers).toBe(2)
    expect(stream.messages$).toBe(stream.messages$)
  })

  test('works with throttleTime', async () => {
    const stream = streamOf()
    const seen: number[] = []
    stream.messages$.pipe(throttleTime(100)).subscribe(({ data }) => seen.push(data.n))
    for (let n = 0; n < 10; n++) {
      stream.publish({ n })
      await pass(30)
    }
    expect(seen).toEqual([0, 4, 8])
  })

  test('works with bufferTime', async () => {
    const stream = streamOf()
    const seen: number[][] = []
    stream.messages$
      .pipe(
        map(({ data }) => data.n),
        bufferTime(100),
        take(2),
      )
      .subscribe((numbers) => seen.push(numbers))
    for (let n = 0; n < 8; n++) {
      stream.publish({ n })
      await pass(30)
    }
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6],
    ])
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('is what from(stream.messages$) and from(stream) subscribe to', async () => {
    const stream = streamOf()
    // The stream is async iterable as well; RxJS prefers Symbol.observable, which is synchronous.
    const sources = [from(stream.messages$), from(stream as never)]
    const seen: unknown[] = []
    for (const source of sources) source.subscribe((message) => seen.push(message))
    const message = stream.publish({ n: 1 })
    expect(seen).toEqual([message, message])
    expect(Reflect.get(stream, Symbol.observable ?? '@@observable')).toBeTypeOf('function')
  })

  test('has the topic joined only while there is a subscriber', async () => {
    const transport = memoryBus().transport()
    const [join, leave] = [vi.spyOn(transport, 'join'), vi.spyOn(transport, 'leave')]
    const hub = createHub({ transport })
    await hub.ready()
    const { messages$ } = hub.stream('s')
    await tick()
    expect(join).not.toHaveBeenCalled()
    const observers = [messages$.subscribe(), messages$.subscribe()]
    await tick()
    expect(join).toHaveBeenCalledTimes(1)
    observers[0]?.unsubscribe()
    await tick()
    expect(leave).not.toHaveBeenCalled()
    observers[1]?.unsubscribe()
    await tick()
    expect(leave).toHaveBeenCalledTimes(1)
    expect(join).toHaveBeenCalledTimes(1)
  })

  test('completes when the stream closes, is removed or expires, once', async () => {
    for (const end of ['close', 'remove', 'expire']) {
      const stream = streamOf()
      const log: string[] = []
      const numbers = firstValueFrom(stream.messages$.pipe(toArray()))
      stream.messages$.subscribe({ next: () => log.push('next'), complete: () => log.push('complete') })
      stream.publish({ n: 1 })
      if (end === 'expire') stream.setTtl(1)
      else stream[end as 'close' | 'remove']()
      await pass(1000, 100)
      expect(log).toEqual(['next', 'complete'])
      expect((await numbers).length).toBe(1)
    }
  })

  test('does not complete for who has unsubscribed', () => {
    const stream = streamOf()
    const complete = vi.fn()
    stream.messages$.subscribe({ complete }).unsubscribe()
    stream.close()
    expect(complete).not.toHaveBeenCalled()
  })

  test('completes at once on a closed stream', () => {
    const stream = streamOf()
    const { messages$ } = stream
    stream.close()
    for (const observable of [messages$, stream.messages$, stream.subject]) {
      const complete = vi.fn()
      const next = vi.fn()
      observable.subscribe({ next, complete })
      expect(complete).toHaveBeenCalledTimes(1)
      expect(next).not.toHaveBeenCalled()
    }
  })

  test('lets take unsubscribe inside a fan-out; no subscriber is called afterwards', () => {
    const stream = streamOf()
    const seen: number[] = []
    stream.messages$.pipe(take(2)).subscribe(({ data }) => seen.push(data.n))
    for (let n = 0; n < 5; n++) stream.publish({ n })
    expect(seen).toEqual([0, 1])
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('gives a bare function a subscription that ends with the stream', () => {
    const stream = streamOf()
    const { messages$ } = stream
    const seen: number[] = []
    const open = messages$.subscribe(({ data }) => seen.push(data.n))
    stream.publish({ n: 1 })
    expect(open.closed).toBe(false)
    stream.close()
    expect(open.closed).toBe(true)
    const late = vi.fn()
    expect(messages$.subscribe(late).closed).toBe(true)
    expect(late).not.toHaveBeenCalled()
    expect(seen).toEqual([1])
  })

  test('completes subscribers with functions in turn, as older RxJS does', () => {
    const stream = streamOf()
    const [next, complete] = [vi.fn(), vi.fn()]
    stream.messages$.subscribe(next, null, complete)
    stream.messages$.subscribe(null, null, complete)
    stream.messages$.subscribe(null)
    stream.publish({ n: 1 })
    stream.close()
    expect([next.mock.calls.length, complete.mock.calls.length]).toEqual([1, 2])
  })

  test('throws the error of a bare function in a timer, as RxJS does, without a listener', () => {
    const stream = streamOf()
    stream.messages$.subscribe(() => {
      throw new Error('consumer')
    })
    stream.publish({ n: 1 })
    expect(() => vi.advanceTimersByTime(1)).toThrow('consumer')
  })

  // DESIGN 7: reported by RxJS itself, in a timer.
  test('leaves a consumer that throws to RxJS, which reports it in a timer', async () => {
    const reported: unknown[] = []
    config.onUnhandledError = (error) => reported.push(error)
    const stream = streamOf()
    const seen: number[] = []
    stream.messages$.subscribe(() => {
      throw new Error('consumer')
    })
    stream.messages$.subscribe(({ data }) => seen.push(data.n))
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    expect(seen).toEqual([1, 2])
    expect(reported).toEqual([])
    await pass(1)
    expect(reported.map(String)).toEqual(['Error: consumer', 'Error: consumer'])
    expect(stream.ledger().listenerErrors).toBe(0)
  })
})

describe('subject', () => {
  test('feeds a stream from any source, and what comes out are messages', () => {
    const stream = streamOf()
    const seen: number[] = []
    stream.subject.subscribe((message) => seen.push(message.data.n))
    of({ n: 1 }, { n: 2 }).subscribe(stream.subject)
    stream.subject.next({ n: 3 })
    expect(seen).toEqual([1, 2, 3])
    expect(stream.ledger().accepted).toBe(3)
    expect(stream.subject).toBe(stream.subject)
  })

  test('counts a refusal and emits it, and does not throw it at the source', () => {
    const stream = createHub().stream<{ n: number }>('s', { limit: { ratePerSecond: 0, burst: 1 } })
    const refused: string[] = []
    stream.on('refused', ({ code }) => refused.push(code))
    of({ n: 1 }, { n: 2 }, { n: 3n as never }).subscribe(stream.subject)
    stream.close()
    stream.subject.next({ n: 4 })
    expect(refused).toEqual(['RATE_LIMITED', 'RATE_LIMITED'])
    expect(stream.ledger()).toMatchObject({
      attempts: 4,
      accepted: 1,
      refused: { rateLimited: 2, closed: 1 },
    })
  })

  test('stays open when a source completes or fails', () => {
    const stream = streamOf()
    stream.on('error', () => {})
    const log: string[] = []
    stream.subject.subscribe({
      next: ({ data }) => log.push(`next ${data.n}`),
      error: () => log.push('error'),
      complete: () => log.push('complete'),
    })
    of({ n: 1 }).subscribe(stream.subject)
    throwError(() => new Error('source')).subscribe(stream.subject)
    of({ n: 2 }).subscribe(stream.subject)
    expect(log).toEqual(['next 1', 'next 2'])
    expect(stream.closed).toBe(false)
  })

  test('reports why a source failed: to the stream, else to the hub, else to the console', () => {
    const onConsole = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => onConsole.mockRestore())
    const hub = createHub()
    const stream = hub.stream<{ n: number }>('s')
    const told: unknown[] = []
    const hear = (error: RivuletError) => told.push(error)
    const fail = (cause: unknown) => throwError(() => cause).subscribe(stream.subject)
    fail('first')
    const first: unknown = onConsole.mock.calls[0]?.at(-1)
    expect(first).toMatchObject({ code: 'SOURCE_FAILED', cause: 'first', stream: 's', hub: 'default' })
    hub.on('error', hear)
    fail('second')
    hub.off('error', hear)
    stream.on('error', hear)
    const third = new Error('third')
    fail(third)
    expect(told).toMatchObject([{ cause: 'second' }, { code: 'SOURCE_FAILED', cause: third, stream: 's' }])
    expect(stream.ledger()).toMatchObject({ attempts: 0, listenerErrors: 0 })
    expect(stream.tryPublish({ n: 1 }).ok).toBe(true)
  })

  test('is a Subject: it pipes, passes for one in code, and completes with the stream', async () => {
    const stream = streamOf()
    expect(stream.subject).toBeInstanceOf(Subject)
    const doubled = firstValueFrom(stream.subject.pipe(map(({ data }) => data.n * 2)))
    stream.subject.next({ n: 21 })
    expect(await doubled).toBe(42)
    expect(stream.ledger().subscribers).toBe(0)
    const complete = vi.fn()
    stream.subject.subscribe({ complete })
    stream.close()
    expect(complete).toHaveBeenCalledTimes(1)
  })

  test('is observed while the stream has a subscriber of any kind', () => {
    const stream = streamOf()
    expect(stream.subject.observed).toBe(false)
    const subscription = stream.subscribe(() => {})
    expect(stream.subject.observed).toBe(true)
    subscription.unsubscribe()
    expect(stream.subject.observed).toBe(false)
  })

  test('lets a source that feeds it be unsubscribed without touching the stream', () => {
    const stream = streamOf()
    const source = new Subject<{ n: number }>()
    const feeding = source.subscribe(stream.subject)
    source.next({ n: 1 })
    feeding.unsubscribe()
    source.next({ n: 2 })
    expect(stream.ledger().attempts).toBe(1)
    expect(stream.tryPublish({ n: 3 }).ok).toBe(true)
  })
})
