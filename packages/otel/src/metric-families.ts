import type { Ledger } from 'rivulet'
import { type Outcomes, publishedOutcomes, receivedOutcomes } from './outcomes.ts'
import type { ScrapedHub } from './scraped-hub.ts'

/** A Prometheus metric with all its time series of a hub. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  /** The label besides `hub` that distinguishes several values. */
  readonly label?: string
  /** Returns the values by that label. */
  read(hub: ScrapedHub): Outcomes
}

/** Every metric. */
export const FAMILIES: readonly Family[] = [
  counter('rivulet_attempts_total', 'Attempts to publish.', ({ attempts }) => attempts),
  {
    name: 'rivulet_published_total',
    help: 'Attempts to publish by how they ended. With rivulet_in_flight and rivulet_waiting the sum is all attempts.',
    type: 'counter',
    label: 'outcome',
    read: ({ ledger }) => publishedOutcomes(ledger),
  },
  {
    name: 'rivulet_received_total',
    help: 'Messages from other processes by how they ended. The sum is all that were received.',
    type: 'counter',
    label: 'outcome',
    read: ({ ledger }) => receivedOutcomes(ledger),
  },
  counter(
    'rivulet_missed_total',
    'Messages of other publishers that did not arrive. It stays when some of them come late.',
    ({ missed }) => missed,
  ),
  counter(
    'rivulet_missed_away_total',
    'Messages that did not arrive since the connection was interrupted. It stays when some of them come late.',
    ({ missedAway }) => missedAway,
  ),
  counter(
    'rivulet_reordered_total',
    'Messages that arrived after a later one.',
    (ledger) => ledger.reordered,
  ),
  counter(
    'rivulet_evicted_publishers_total',
    'Publishers heard within a minute that were forgotten: more spoke than the hub remembers.',
    ({ evictedPublishers }) => evictedPublishers,
  ),
  counter(
    'rivulet_lost_removals_total',
    'Removals of streams that did not reach the broker.',
    ({ lostRemovals }) => lostRemovals,
  ),
  counter(
    'rivulet_listener_errors_total',
    'Throws and rejections of subscribers and event listeners.',
    ({ listenerErrors }) => listenerErrors,
  ),
  counter(
    'rivulet_iterator_drops_total',
    'Messages that the bounded buffers of iterators dropped.',
    ({ iteratorDrops }) => iteratorDrops,
  ),
  gauge(
    'rivulet_in_flight',
    'Messages that are neither confirmed nor lost yet.',
    ({ ledger }) => ledger.inFlight,
  ),
  gauge('rivulet_waiting', 'Attempts that stand in line for the limit.', ({ ledger }) => ledger.waiting),
  gauge('rivulet_subscribers', 'Subscribers now.', ({ ledger }) => ledger.subscribers),
  gauge('rivulet_hub_up', '1 while the hub is up or has no transport, else 0.', ({ isUp }) => Number(isUp)),
]

function counter(name: string, help: string, read: (ledger: Ledger) => number): Family {
  return { name, help, type: 'counter', read: ({ ledger }) => ({ all: read(ledger) }) }
}

function gauge(name: string, help: string, read: (hub: ScrapedHub) => number): Family {
  return { name, help, type: 'gauge', read: (hub) => ({ all: read(hub) }) }
}
