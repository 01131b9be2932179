import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api'
import type { Ledger } from 'rivulet'
import { ERROR_TYPE, PROCESS, PUBLISH } from './attributes.ts'

/** The error codes of refused attempts; an aborted one has the reason of its signal instead. */
const REFUSAL_CODES: Readonly<Record<keyof Ledger['refused'], string>> = {
  invalidData: 'INVALID_DATA',
  tooLarge: 'PAYLOAD_TOO_LARGE',
  schema: 'SCHEMA_MISMATCH',
  rateLimited: 'RATE_LIMITED',
  queueFull: 'QUEUE_FULL',
  aborted: 'ABORTED',
  closed: 'STREAM_CLOSED',
}
const COUNTED = [
  'missed',
  'missedAway',
  'reordered',
  'evictedPublishers',
  'iteratorDrops',
  'subscribers',
] as const
const SENT = ['local', 'confirmed', 'unconfirmed'] as const

/** Makes the instruments of a meter. Decreasing values are up-down counters, so that backends sum them over processes. */
export function instrumentsOf(meter: Meter) {
  const counter = (name: string, description: string, unit = '{message}') =>
    meter.createObservableCounter(name, { description, unit })
  const upDown = (name: string, description: string, unit = '{message}') =>
    meter.createObservableUpDownCounter(name, { description, unit })
  return {
    sent: counter('messaging.client.sent.messages', 'Messages that were handed to the broker, or have none.'),
    consumed: counter('messaging.client.consumed.messages', 'Messages of other processes for subscribers.'),
    refused: counter('rivulet.refused', 'Attempts to publish that were refused.'),
    conflated: counter('rivulet.conflated', 'Kept values that a newer one replaced.'),
    lost: counter('rivulet.lost', 'Accepted messages that did not reach the broker.'),
    lostRemovals: counter('rivulet.lost.removals', 'Removals that did not reach the broker.', '{removal}'),
    dropped: counter('rivulet.dropped', 'Received messages that no subscriber got.'),
    missed: counter('rivulet.missed', 'Messages of other publishers that did not arrive.'),
    missedAway: counter(
      'rivulet.missed_away',
      'Messages that did not arrive since the connection was interrupted.',
    ),
    reordered: counter('rivulet.reordered', 'Messages that arrived after a later one.'),
    evictedPublishers: counter(
      'rivulet.publishers.evicted',
      'Publishers heard within a minute that were forgotten.',
      '{publisher}',
    ),
    listenerErrors: counter('rivulet.listener.errors', 'Throws of subscribers and listeners.', '{error}'),
    iteratorDrops: counter('rivulet.iterator.drops', "Messages that iterators' buffers dropped."),
    inFlight: upDown('rivulet.in_flight', 'Messages that are neither confirmed nor lost yet.'),
    waiting: upDown('rivulet.waiting', 'Attempts that stand in line for the limit.'),
    subscribers: upDown('rivulet.subscribers', 'Subscribers now.', '{subscriber}'),
    hubUp: meter.createObservableGauge('rivulet.hub.up', {
      unit: '1',
      description: '1 while the hub is up or has no transport, else 0.',
    }),
  } satisfies Record<string, Observable>
}

/** All instruments by name. */
export type Instruments = ReturnType<typeof instrumentsOf>

/** Observes the numbers of a ledger. Each attempt and each received message is in exactly one metric. */
export function observeLedger(
  result: BatchObservableResult,
  to: Instruments,
  ledger: Ledger,
  attributes: Attributes,
): void {
  const publish = { ...PUBLISH, ...attributes }
  const process = { ...PROCESS, ...attributes }
  for (const outcome of SENT)
    result.observe(to.sent, ledger[outcome], { ...publish, 'rivulet.outcome': outcome })
  for (const [reason, count] of Object.entries(ledger.refused)) {
    const code = REFUSAL_CODES[reason as keyof Ledger['refused']]
    result.observe(to.refused, count, { ...publish, [ERROR_TYPE]: code })
  }
  for (const [reason, count] of Object.entries(ledger.lost))
    result.observe(to.lost, count, { ...publish, reason })
  result.observe(to.conflated, ledger.conflated, publish)
  result.observe(to.inFlight, ledger.inFlight, publish)
  result.observe(to.lostRemovals, ledger.lostRemovals, publish)
  result.observe(to.waiting, ledger.waiting, publish)
  result.observe(to.consumed, ledger.delivered, process)
  for (const [reason, count] of Object.entries(ledger.dropped)) {
    result.observe(to.dropped, count, { ...process, reason })
  }
  for (const name of COUNTED) result.observe(to[name], ledger[name], process)
  result.observe(to.listenerErrors, ledger.listenerErrors, process)
}
