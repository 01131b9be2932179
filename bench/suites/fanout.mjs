import { timedCase } from '../measure.mjs'
import { jsonBytes, messagesOf, SMALL_BYTES } from '../messages.mjs'
import { boringBus, emittery, graphqlPubSub, mqEmitter } from '../rivals/buses.mjs'
import {
  arrayLoop,
  eventEmitter3,
  mittEmitter,
  nanoEvents,
  nodeEventEmitter,
  subject,
  tseep,
} from '../rivals/emitters.mjs'
import { fanOutContender } from '../rivals/fan-out-contender.mjs'
import { handMade } from '../rivals/hand-made.mjs'
import { rivulet, rivuletObservable } from '../rivals/rivulet.mjs'
import { remoteFanOutCase } from '../transport/remote-fan-out.mjs'

const RIVALS = [
  ...[rivulet, rivuletObservable, handMade, subject, eventEmitter3, tseep, nodeEventEmitter, mittEmitter],
  ...[nanoEvents, emittery, mqEmitter, graphqlPubSub, boringBus, arrayLoop],
]
const SUBSCRIBERS = [1, 10, 30, 100, 1_000, 10_000]
const LARGER_PAYLOADS = [700, 4_000]
const LARGER_PAYLOAD_SUBSCRIBERS = 100

export const suite = {
  title: 'Publish to N subscribers',
  reading:
    'Nanoseconds from the call of publish until every subscriber was called. Rivulet and the hand-made contract check, cap, limit and copy each message; the others hand over the object as it is.',
  lines: 'subscribers',
  picture: {
    rows: ['Rivulet', 'RxJS Subject', 'EventEmitter3', 'same contract, hand-made', 'bare array loop'],
  },
  plan(settings) {
    const kinds = casesOf(settings)
    return { cases: kinds.flatMap((kind) => caseOf(kind, settings)) }
  },
}

function casesOf({ subscribers, payload, message, isQuick }) {
  const counts = subscribers ?? (isQuick ? [1, 100] : SUBSCRIBERS)
  if (message !== undefined)
    return counts.map((count) => ({ subscribers: count, payload: jsonBytes(message) }))
  const pairs = (payload ?? [SMALL_BYTES]).flatMap((bytes) =>
    counts.map((count) => ({ subscribers: count, payload: bytes })),
  )
  if (subscribers || payload || isQuick) return pairs
  return [
    ...pairs,
    ...LARGER_PAYLOADS.map((bytes) => ({ subscribers: LARGER_PAYLOAD_SUBSCRIBERS, payload: bytes })),
  ]
}

function caseOf(parameters, { message, transport }) {
  const { subscribers, payload } = parameters
  const messages = messagesOf(payload, message)
  const name = `${subscribers.toLocaleString('en')} subscriber${subscribers === 1 ? '' : 's'}, ${payload} bytes`
  if (transport.length > 0)
    return transport.map((url) => remoteFanOutCase({ name, parameters, messages, url }))
  const contenders = RIVALS.map((rival) => fanOutContender(rival, subscribers, messages))
  return [timedCase({ name, parameters, unit: 'a publish', contenders })]
}
