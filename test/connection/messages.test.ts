import { RivuletError, type Topic } from 'rivulet'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Linked, link } from '../support/linked-hub.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const TOPIC = 'rivulet/default/s' as Topic
const HUB = '(hub "default")'
const STREAM = '(stream "s" of hub "default")'

const subscribe = ({ hub }: Linked) => hub.stream('s').subscribe(() => {})
const publish = ({ hub }: Linked) => hub.stream('s').publish({})
const boom = () => {
  throw new Error('boom')
}

/** What goes wrong, and the whole messages of the errors that tell of it. */
const faults: [string, (linked: Linked) => unknown, string[]][] = [
  [
    'a connection that is lost, and an opening that takes too long',
    ({ transport }) => {
      transport.answers.open = 'hang'
      transport.host.down(new Error('Lost 10.0.0.7.'))
    },
    [
      `No connection over scripted: Lost 10.0.0.7. Trying again. ${HUB}`,
      `No connection over scripted: Connecting took more than 20000 ms; check that the broker answers. Trying again. ${HUB}`,
    ],
  ],
  [
    'a join that takes too long',
    (linked) => {
      linked.transport.answers.join = 'hang'
      subscribe(linked)
    },
    [
      `The join is not confirmed: The join took more than 5000 ms; check that the broker answers. Trying again. ${STREAM}`,
    ],
  ],
  [
    'barriers that take too long',
    (linked) => {
      linked.transport.answers.flush = 'hang'
      publish(linked)
    },
    [
      `No connection over scripted: The barrier took more than 2000 ms; check that the broker answers. Trying again. ${HUB}`,
    ],
  ],
  [
    'a fault that the transport reports of a topic',
    ({ transport }) => transport.host.error(TOPIC, new Error('Denied.')),
    [`The broker refused: Denied. ${STREAM}`],
  ],
  [
    'a fault that the transport reports in words of its own',
    ({ transport }) => transport.host.error(undefined, new RivuletError('TRANSPORT_FAILED', 'Own words.')),
    [`Own words. ${HUB}`],
  ],
  [
    'a send that throws',
    (linked) => {
      linked.transport.send = boom
      publish(linked)
    },
    [`The transport's send threw; report it to its maker. ${STREAM}`],
  ],
  [
    'a leave that throws',
    (linked) => {
      linked.transport.leave = boom
      const subscription = subscribe(linked)
      setTimeout(() => subscription.unsubscribe(), 1)
    },
    [`The transport's leave threw; report it to its maker. ${STREAM}`],
  ],
  [
    'a maxFrameBytes that throws',
    (linked) => {
      linked.transport.capabilities = { ...linked.transport.capabilities, maxFrameBytes: boom }
      publish(linked)
    },
    [
      `A message makes a frame of 60 bytes, the broker takes 0; lower maxBytes, or raise the limit of the broker. ${STREAM}`,
      `The transport's maxFrameBytes threw; report it to its maker. ${STREAM}`,
    ],
  ],
]

test.each(faults)('%s is told in plain words', async (_, cause, messages) => {
  const linked = link()
  await linked.hub.ready()
  cause(linked)
  await vi.advanceTimersByTimeAsync(21_000)
  expect(linked.errors.map((error) => (error as Error).message).sort()).toEqual(messages.sort())
})
