// Draws the charts of the dashboard for Grafana into a file: `npm run docs:dashboard -- [file] [options of the demo]`.
// Runs the demo in this process, and collects the metrics of its hubs.
import { channel } from 'node:diagnostics_channel'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import type { Hub } from 'rivulet'
import { READER_NAMES } from '../examples/earthquakes/readers.ts'
import { register } from '../packages/otel/src/prometheus.ts'
import { readPanels } from './support/dashboard.ts'
import { drawDashboard } from './support/dashboard-picture.ts'
import type { Sample, Value } from './support/dashboard-series.ts'
import { ROOT } from './support/source-files.ts'

const EVERY_MS = 500
const [file = join(ROOT, 'packages/otel/dashboards/rivulet.svg'), ...options] = process.argv.splice(2)
process.argv.push('--loss', '0.02', '--quiet', ...options)

const registry = new Registry()
const samples: Sample[] = []
// The demo opens its hubs in this order; all have one name.
const names = ['publisher', ...READER_NAMES.map((name) => `reader "${name}"`)]
channel('rivulet:hub').subscribe((event) => {
  const { hub } = event as { readonly hub: Hub }
  register(hub, { registry, name: names.shift() ?? hub.name })
})

const timer = setInterval(() => void collect(), EVERY_MS)
await import('../examples/earthquakes/demo.ts')
clearInterval(timer)
await collect()
writeFileSync(file, drawDashboard(readPanels(), samples))
console.log(`${samples.length} collections are drawn in ${file}`)

async function collect(): Promise<void> {
  const atMs = performance.now()
  const families = await registry.getMetricsAsJSON()
  const metrics = new Map(families.map(({ name, values }) => [name, values as unknown as Value[]]))
  if (metrics.size > 0) samples.push({ atMs, metrics })
}
