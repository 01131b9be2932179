import type { Registry } from 'prom-client'
import { RivuletError } from 'rivulet'
import type { Gateway, GatewayCounts } from '../gateway/gateway.ts'

type Figures = Readonly<Record<string, readonly [name: keyof GatewayCounts, help: string]>>

const GAUGES: Figures = {
  rivulet_gateway_listeners: ['listeners', 'Listeners of event streams now.'],
  rivulet_gateway_connections: ['connections', 'Connections of client SDKs now.'],
  rivulet_gateway_subscriptions: ['subscriptions', 'Streams that client SDKs are subscribed to, in all.'],
  rivulet_gateway_pages: ['pages', 'Pages now.'],
  rivulet_gateway_joins: ['joins', 'Streams that pages are subscribed to, in all.'],
}
const COUNTERS: Figures = {
  rivulet_gateway_sent_total: [
    'sent',
    'Messages handed to listeners and client SDKs, and frames handed to pages.',
  ],
  rivulet_gateway_dropped_total: [
    'dropped',
    'Not handed over: a client read too slowly, or a frame was over its rate.',
  ],
  rivulet_gateway_received_total: ['received', 'Frames of pages that passed the checks.'],
  rivulet_gateway_refused_total: ['refused', 'Frames and joins of pages that were refused.'],
}

/**
 * Makes a registry of Prometheus with the metrics of a gateway's hubs and its own counts, which are read when it is
 * asked. Throws `INVALID_OPTIONS` when the packages that this takes are not installed.
 */
export async function metricsOf(gateway: Gateway): Promise<Registry> {
  const { register, Counter, Gauge, Registry } = await load()
  const registry = new Registry()
  for (const hub of gateway.hubs) register(hub, { registry })
  for (const [Metric, figures] of [
    [Gauge, GAUGES],
    [Counter, COUNTERS],
  ] as const) {
    for (const [name, [count, help]] of Object.entries(figures)) {
      new Metric({
        name,
        help,
        registers: [registry],
        collect() {
          this.reset()
          this.inc(gateway.counts[count])
        },
      })
    }
  }
  return registry
}

/** Only here: a gateway without metrics needs neither. Bundlers let a package be missing whose import is awaited in `try`. */
async function load() {
  try {
    const { register } = await import('@rivulet/otel/prometheus')
    const { Counter, Gauge, Registry } = await import('prom-client')
    return { register, Counter, Gauge, Registry }
  } catch (cause) {
    const message =
      'Metrics take two packages, which did not load; run: npm install @rivulet/otel prom-client'
    throw new RivuletError('INVALID_OPTIONS', message, { cause })
  }
}
