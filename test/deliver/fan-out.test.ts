import { createHub, type Stream, type Subscription } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { stopTime, tick } from '../support/fake-time.ts'

stopTime()

const MANY = 100_000

function open(): { stream: Stream; errors: unknown[] } {
  const stream: Stream = createHub().stream('s', { limit: false })
  const errors: unknown[] = []
  stream.on('error', ({ cause }) => errors.push(cause))
  return { stream, errors }
}

describe('the subscribers of a stream', () => {
  test('are called once each in order, whichever come and go', () => {
    const { stream } = open()
    const calls: number[] = []
    const subscriptions = Array.from({ length: 200 }, (_, nth) => stream.subscribe(() => calls.push(nth)))
    stream.publish({})
    expect(calls).toEqual(Array.from({ length: 200 }, (_, nth) => nth))
    for (const [nth, subscription] of subscriptions.entries()) if (nth % 3 !== 0) subscription.unsubscribe()
    stream.subscribe(() => calls.push(1000))
    calls.length = 0
    stream.publish({})
    expect(calls).toEqual([...Array.from({ length: 67 }, (_, nth) => nth * 3), 1000])
    expect(stream.ledger().subscribers).toBe(68)
  })

  const leaving: readonly [how: string, order: (all: Subscription[]) => Subscription[]][] = [
    ['in the order in which they came', (all) => all],
    ['in reverse', (all) => [...all].reverse()],
    [
      'every other one first',
      (all) => [...all.filter((_, nth) => nth % 2), ...all.filter((_, nth) => nth % 2 === 0)],
    ],
  ]
  // No time is asserted: if leaving cost O(n) each, this would take minutes and run into the suite's limit.
  test.each(leaving)('leave a hundred thousand at a time %s', (_, order) => {
    const { stream } = open()
    let calls = 0
    const subscriptions = Array.from({ length: MANY }, () => stream.subscribe(() => void calls++))
    stream.publish({})
    expect(calls).toBe(MANY)
    for (const [nth, subscription] of order(subscriptions).entries()) {
      subscription.unsubscribe()
      if (nth === MANY / 2 - 1) stream.publish({})
    }
    expect(calls).toBe(MANY * 1.5)
    expect(stream.ledger().subscribers).toBe(0)
    stream.publish({})
    expect(calls).toBe(MANY * 1.5)
  })

  test('are each called once when most of them leave at the hands of the first', () => {
    const { stream } = open()
    const calls: number[] = []
    const others: Subscription[] = []
    stream.subscribe(() => {
      for (const [nth, other] of others.entries()) if (nth % 3 !== 0) other.unsubscribe()
    })
    for (let nth = 0; nth < 90; nth++) others.push(stream.subscribe(() => calls.push(nth)))
    const stay = Array.from({ length: 30 }, (_, nth) => nth * 3)
    for (let times = 0; times < 2; times++) {
      stream.publish({})
      expect(calls.splice(0)).toEqual(stay)
    }
  })

  test('come and go by the hundred thousand during one fan-out', () => {
    const { stream } = open()
    let [oldCalls, youngCalls] = [0, 0]
    const closer = stream.subscribe(() => {
      for (const subscription of old) subscription.unsubscribe()
      for (let nth = 0; nth < MANY; nth++) stream.subscribe(() => void youngCalls++)
      closer.unsubscribe()
    })
    const old = Array.from({ length: MANY }, () => stream.subscribe(() => void oldCalls++))
    stream.publish({})
    expect([oldCalls, youngCalls]).toEqual([0, 0])
    stream.publish({})
    expect([oldCalls, youngCalls]).toEqual([0, MANY])
    expect(stream.ledger().subscribers).toBe(MANY)
    stream.close()
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('come and go a million times beside one that stays', () => {
    const { stream } = open()
    let calls = 0
    stream.subscribe(() => void calls++)
    const gone = vi.fn()
    for (let nth = 0; nth < 1_000_000; nth++) stream.subscribe(gone).unsubscribe()
    stream.publish({})
    expect(calls).toBe(1)
    expect(gone).not.toHaveBeenCalled()
    expect(stream.ledger()).toMatchObject({ subscribers: 1, listenerErrors: 0 })
  })

  test('are distinguished when one throws, one rejects and one returns a bad thenable', async () => {
    const { stream, errors } = open()
    const calls: string[] = []
    stream.subscribe(() => {
      throw 'thrown'
    })
    stream.subscribe(async () => {
      throw 'rejected'
    })
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    stream.subscribe(() => ({ then: (_: unknown, reject: (error: unknown) => void) => reject('thenable') }))
    stream.subscribe(() => calls.push('last'))
    stream.publish({})
    await tick()
    expect(calls).toEqual(['last'])
    expect(errors).toEqual(['thrown', 'thenable', 'rejected'])
    expect(stream.ledger().listenerErrors).toBe(3)
  })

  test('may answer with anything else, a getter of then that throws included', () => {
    const { stream, errors } = open()
    const hostile = Object.defineProperty({}, 'then', {
      get() {
        throw new Error('then')
      },
    })
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    for (const answer of [1, 'then', null, {}, { then: 1 }, Promise.resolve(), hostile]) {
      stream.subscribe(() => answer)
    }
    stream.publish({})
    expect([errors, stream.ledger().listenerErrors]).toEqual([[], 0])
  })
})

describe('a subscriber that fails without a listener for errors', () => {
  const failing = [
    [
      'and a console that throws',
      () => {
        throw new Error('subscriber')
      },
    ],
    [
      'with what cannot be shown',
      () => {
        throw revokedFunction()
      },
    ],
  ] as const
  test.each(failing)('%s hurts neither the publisher nor the others', (_, fail) => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {
      throw new Error('console')
    })
    onTestFinished(() => logged.mockRestore())
    const stream = createHub().stream('scene')
    const heard = vi.fn()
    stream.subscribe(fail)
    stream.subscribe(heard)
    stream.publish({ n: 1 })
    expect(heard).toHaveBeenCalledTimes(1)
    expect(stream.ledger()).toMatchObject({ accepted: 1, listenerErrors: 1 })
  })
})

/** A function of which `String` throws. */
function revokedFunction(): unknown {
  const { proxy, revoke } = Proxy.revocable(() => {}, {})
  revoke()
  return proxy
}
