import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream, type SubscriptionStatus } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { stopTime, tick } from '../support/fake-time.ts'
import { link } from '../support/linked-hub.ts'

stopTime()

const noop = () => {}

/** Notes every `joined` of a stream with what its subscription says then. */
function note(stream: Stream): { told: [boolean, SubscriptionStatus][]; statusOf: () => SubscriptionStatus } {
  const told: [boolean, SubscriptionStatus][] = []
  stream.on('joined', ({ isFirst }) => told.push([isFirst, subscription.status]))
  const subscription = stream.subscribe(noop)
  return { told, statusOf: () => subscription.status }
}

describe('subscription.status', () => {
  test('is joined at once on a hub without a transport, until it is ended', () => {
    const stream = createHub().stream('s')
    const [first, second] = [stream.subscribe(noop), stream.subscribe(noop)]
    expect([first.status, second.status]).toEqual(['joined', 'joined'])
    first.unsubscribe()
    expect([first.status, second.status]).toEqual(['ended', 'joined'])
    stream.close()
    expect(second.status).toBe('ended')
  })

  test('follows the join: confirmed, lost with the connection, and made again', async () => {
    const { hub, transport } = link({ join: 'hang' })
    await tick()
    const { told, statusOf } = note(hub.stream('s') as Stream)
    await tick()
    expect([statusOf(), told]).toEqual(['joining', []])
    transport.joins[0]?.resolve()
    await tick()
    expect([statusOf(), told]).toEqual(['joined', [[true, 'joined']]])
    transport.host.down()
    await tick()
    expect(statusOf()).toBe('joining')
    await vi.advanceTimersByTimeAsync(1_000)
    expect([hub.status, statusOf(), told.length]).toEqual(['up', 'joining', 1])
    transport.joins[1]?.resolve()
    await tick()
    expect([statusOf(), told.slice(1)]).toEqual(['joined', [[false, 'joined']]])
    await Promise.all([hub.close(), vi.advanceTimersByTimeAsync(5_000)])
    expect([statusOf(), told.length]).toEqual(['ended', 2])
  })

  test('is refused while the broker denies the join, and joined once that is lifted', async () => {
    const { hub, transport, errors } = link({ join: new Error('not allowed') })
    await tick()
    const stream = hub.stream('s') as Stream
    const { told, statusOf } = note(stream)
    await tick()
    expect([statusOf(), told, errors.length]).toEqual(['refused', [], 1])
    expect(stream.subscribe(noop).status).toBe('refused')
    transport.answers.join = 'resolve'
    await vi.advanceTimersByTimeAsync(30_000)
    expect([statusOf(), told]).toEqual(['joined', [[true, 'joined']]])
  })

  test('is joining for a new subscriber after a refusal, until the broker has answered', async () => {
    const { hub, transport } = link({ join: new Error('not allowed') })
    await tick()
    const stream = hub.stream('s')
    const first = stream.subscribe(noop)
    await tick()
    first.unsubscribe()
    await tick()
    transport.answers.join = 'hang'
    const second = stream.subscribe(noop)
    await tick()
    expect([first.status, second.status]).toEqual(['ended', 'joining'])
  })

  test('is refused again when the broker ends the join and denies the next', async () => {
    const { hub, transport } = link()
    await tick()
    const { told, statusOf } = note(hub.stream('s') as Stream)
    await tick()
    transport.answers.join = new Error('revoked')
    transport.host.left(transport.joins[0]?.topic, new Error('revoked'))
    await vi.advanceTimersByTimeAsync(1_000)
    expect([statusOf(), told.length]).toEqual(['refused', 1])
    transport.answers.join = 'resolve'
    await vi.advanceTimersByTimeAsync(30_000)
    expect([statusOf(), told.slice(1)]).toEqual(['joined', [[false, 'joined']]])
  })

  test('is that of a tap, too', async () => {
    const hub = createHub({ transport: memoryBus().transport() })
    const tap = hub.tap(noop)
    expect(tap.status).toBe('joining')
    await tap.ready
    expect(tap.status).toBe('joined')
    tap.unsubscribe()
    expect(tap.status).toBe('ended')
    await hub.close()
  })
})

describe('the event joined', () => {
  test('comes with the first subscriber without a transport, not with the second', () => {
    const stream = createHub().stream('s')
    const joined = vi.fn()
    stream.on('joined', joined)
    const [first, second] = [stream.subscribe(noop), stream.subscribe(noop)]
    expect(joined.mock.calls).toEqual([[{ isFirst: true }]])
    first.unsubscribe()
    second.unsubscribe()
    stream.subscribe(noop)
    expect(joined.mock.calls.slice(1)).toEqual([[{ isFirst: false }]])
  })

  test('comes once for several subscribers', async () => {
    const { hub } = link()
    await tick()
    const stream = hub.stream('s')
    const told: string[] = []
    stream.on('joined', () => {
      told.push('joined')
      stream.subscribe(noop)
    })
    for (const name of ['a', 'b']) stream.subscribe(noop).ready.then(() => told.push(name))
    await tick()
    expect(told).toEqual(['joined', 'a', 'b'])
  })

  test('may end the stream on a hub without a transport: the subscription is ended then', () => {
    const stream = createHub().stream('s')
    stream.on('joined', () => stream.close())
    expect(stream.subscribe(noop).status).toBe('ended')
  })
})
