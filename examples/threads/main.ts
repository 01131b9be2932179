// The main thread: hands a week of earthquakes to four threads, each of which searches its share for aftershocks.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { openHub } from 'rivulet'
import { readQuakes } from '../earthquakes/quakes.ts'
import type { Finding, Located } from './finding.ts'

const THREADS = 4
const hub = await openHub('threads:aftershocks')
const quakes = hub.stream<Located>('quakes', { limit: false })

const findings: Finding[] = []
await hub.stream<Finding>('findings', { limit: false }).subscribe(({ data }) => findings.push(data)).ready

// Each thread opens a hub of its own on the same bus, and reports through its port when it is subscribed.
const workers = Array.from({ length: THREADS }, (_, index) => {
  const workerData = { program: './worker.ts', index, of: THREADS }
  return new Worker(new URL('./typescript.mjs', import.meta.url), { workerData })
})
await Promise.all(workers.map((worker) => once(worker, 'message')))

const week = await readQuakes()
for (const { id, properties, geometry } of week) {
  const [longitude = 0, latitude = 0] = geometry.coordinates
  quakes.publish({ id, time: properties.time, magnitude: properties.mag, longitude, latitude })
}

// A hub does not keep its thread alive; the port does, until this.
const ends = workers.map((worker) => once(worker, 'exit'))
for (const worker of workers) worker.postMessage(week.length)
await Promise.all(ends)
await hub.flush()

const shares = Array.from({ length: THREADS }, (_, index) => findings.filter(({ by }) => by === index).length)
console.log(`${week.length} earthquakes, aftershocks found by each thread: ${shares.join(' ')}`)
const [largest] = findings.sort(
  (one, other) => other.main.magnitude - one.main.magnitude || other.magnitude - one.magnitude,
)
console.log(
  `the strongest with one: magnitude ${largest?.main.magnitude}, then ${largest?.magnitude}, ${largest?.km} km away`,
)
const { confirmed, missed, lost } = await hub.close()
console.log(`confirmed ${confirmed}, missed ${missed}, lost ${lost.offline + lost.congested + lost.failed}`)
