import { Counter, Gauge, register as globalRegistry, type Registry } from 'prom-client'
import type { Hub } from 'rivulet'
import { checkOptions, invalidOptions, objectForm, type Rules, textForm } from 'rivulet/adapter'
import { FAMILIES, type Family } from './metric-families.ts'
import { ScrapedHub } from './scraped-hub.ts'

/** Options of `register`. */
export interface RegisterOptions {
  /** The registry of the metrics. @default prom-client's own registry, `register` */
  readonly registry?: Registry | undefined
  /** The value of the label `hub`. Hubs with the same value are summed. @default the hub's name */
  readonly name?: string | undefined
}

const RULES: Rules<RegisterOptions> = {
  registry: objectForm('a Registry of prom-client'),
  name: textForm,
}

/** Key of a metric's hubs, stored on the metric: it belongs to a registry, and this package may be loaded twice. */
const HUBS = Symbol.for('rivulet.prometheus.hubs')

/**
 * Adds a hub to the metrics of a registry. The hub's ledger is read when the registry is collected; messages cost
 * nothing extra. Returns a function that removes the hub, and with the last hub the metrics. A closed hub keeps its
 * last values until then. Any number of hubs may share a registry. Throws `INVALID_OPTIONS`, also when the registry has
 * other metrics with these names.
 */
export function register(hub: Hub, options: RegisterOptions = {}): () => void {
  const { registry = globalRegistry, name = hub.name } = checkOptions('register', options, RULES)
  for (const family of FAMILIES) checkFree(registry, family)
  const scraped = new ScrapedHub(hub, name)
  for (const family of FAMILIES) hubsOf(registry, family).add(scraped)
  return () => {
    for (const family of FAMILIES) {
      const hubs = hubsIn(registry, family)
      if (hubs?.delete(scraped) && hubs.size === 0) registry.removeSingleMetric(family.name)
    }
  }
}

function checkFree(registry: Registry, family: Family): void {
  if (registry.getSingleMetric(family.name) === undefined || hubsIn(registry, family) !== undefined) return
  throw invalidOptions(`The registry has another metric ${family.name}; give a registry of its own.`)
}

function hubsIn(registry: Registry, { name }: Family): Set<ScrapedHub> | undefined {
  const metric = registry.getSingleMetric(name) as { readonly [HUBS]?: Set<ScrapedHub> } | undefined
  return metric?.[HUBS]
}

/** Returns the hubs of a metric, and makes the metric at the first use. */
function hubsOf(registry: Registry, family: Family): Set<ScrapedHub> {
  const known = hubsIn(registry, family)
  if (known !== undefined) return known
  const { name, help, type, label, read } = family
  const hubs = new Set<ScrapedHub>()
  const labelNames = label === undefined ? ['hub'] : ['hub', label]
  const Metric = type === 'counter' ? Counter : Gauge
  const metric = new Metric({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const hub of hubs) {
        for (const [value, count] of Object.entries(read(hub))) {
          this.inc(label === undefined ? { hub: hub.name } : { hub: hub.name, [label]: value }, count)
        }
      }
    },
  })
  Object.defineProperty(metric, HUBS, { value: hubs })
  return hubs
}
