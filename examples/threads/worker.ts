// One of the four threads: receives every earthquake, and searches the main shocks of its own share.
import { parentPort, workerData } from 'node:worker_threads'
import { openHub } from 'rivulet'
import type { Finding, Located } from './finding.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const NEAR_KM = 30
const EARTH_RADIUS_KM = 6371

const { index, of } = workerData as { readonly index: number; readonly of: number }
const hub = await openHub('threads:aftershocks')
const findings = hub.stream<Finding>('findings', { limit: false })
const earlier: Located[] = []
let total = Infinity
const quakes = hub.stream<Located>('quakes', { limit: false })
await quakes.subscribe(({ data: quake }) => {
  if (earlier.length % of === index) {
    const found = mainShockOf(quake)
    if (found !== undefined) findings.publish(found)
  }
  earlier.push(quake)
  closeAfterAll()
}).ready
parentPort?.postMessage('listening')

// The count arrives through the port, so perhaps before the last of the counted messages.
parentPort?.once('message', (count: number) => {
  total = count
  closeAfterAll()
})

function closeAfterAll(): void {
  if (earlier.length === total) void hub.close()
}

/** Finds the strongest earthquake of the day before that was near and stronger. */
function mainShockOf(quake: Located): Finding | undefined {
  const near = earlier
    .filter((other) => quake.time - other.time < DAY_MS && other.magnitude > quake.magnitude)
    .map((other) => ({ id: other.id, magnitude: other.magnitude, km: distanceKm(quake, other) }))
    .filter(({ km }) => km < NEAR_KM)
  const [main] = near.sort((one, other) => other.magnitude - one.magnitude)
  if (main === undefined) return undefined
  const { id, magnitude } = quake
  return {
    by: index,
    id,
    magnitude,
    main: { id: main.id, magnitude: main.magnitude },
    km: Math.round(main.km),
  }
}

/** The great-circle distance, by the haversine formula. */
function distanceKm(one: Located, other: Located): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180
  const north = Math.sin(radians(other.latitude - one.latitude) / 2) ** 2
  const east = Math.sin(radians(other.longitude - one.longitude) / 2) ** 2
  const scale = Math.cos(radians(one.latitude)) * Math.cos(radians(other.latitude))
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(north + scale * east))
}
