// Measures the memory of a long recording, and the accuracy of the pace:
// node packages/replay/bench/replay.mjs [messages] [seconds]
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { replay, writeRecord } from '@rivulet/replay'
import { createHub } from 'rivulet'

const [messages = 1_000_000, seconds = 10] = process.argv.slice(2).map(Number)
const BEGINNING = Date.parse('2026-01-31T00:00:00.000Z')
const SAMPLES = 10
const PER_SECOND = 200

const folder = mkdtempSync(join(tmpdir(), 'rivulet-replay-bench-'))
try {
  await measureMemory(await recordingOf('day.ndjson', messages, 86_400_000 / messages))
  await measurePace(await recordingOf('pace.ndjson', seconds * PER_SECOND, 1000 / PER_SECOND))
} finally {
  rmSync(folder, { recursive: true })
}

/** Writes a recording of `count` messages on ten streams. */
async function recordingOf(name, count, stepMs) {
  const file = join(folder, name)
  const output = createWriteStream(file)
  for (let n = 0; n < count; n++) {
    const data = { n, truck: n % 500, lat: 52.1, lon: 4.3, text: 'on its way' }
    const sid = `TZ${n.toString(16).padStart(32, '0')}`
    const receivedAt = new Date(BEGINNING + n * stepMs).toISOString()
    const line = `${writeRecord({ stream: `positions-${n % 10}`, sid, data, receivedAt })}\n`
    if (!output.write(line)) await once(output, 'drain')
  }
  output.end()
  await once(output, 'close')
  return file
}

/** Plays a recording to a tap that counts, and resolves at its end. */
async function play(options, listener) {
  let report = () => {}
  const ended = new Promise((resolve) => {
    report = resolve
  })
  const hub = createHub({ transport: replay({ ...options, ended: report }) })
  const tap = hub.tap(listener)
  const { messages: played, error } = await ended
  const { delivered, missed } = tap.ledger()
  await hub.close()
  if (error !== undefined || delivered !== played || missed > 0) {
    throw new Error(`Of ${played} messages ${delivered} came. ${error?.message ?? ''}`)
  }
  return played
}

async function measureMemory(file) {
  const residentMiB = []
  let count = 0
  const sample = () => residentMiB.push(Math.round(process.memoryUsage.rss() / 2 ** 20))
  sample()
  const startMs = performance.now()
  const played = await play({ file, speed: 'max' }, () => {
    if (++count % Math.ceil(messages / SAMPLES) === 0) sample()
  })
  const perSecond = Math.round(played / ((performance.now() - startMs) / 1000))
  console.log(`${played} messages at speed max, ${perSecond} a second; resident MiB, before and every tenth:`)
  console.log(residentMiB.join(' '))
}

async function measurePace(file) {
  const lateMicroseconds = createHistogram()
  let earliestMs = 0
  let first
  // A pace can't make up for time that the machine takes from the whole process.
  const stalls = monitorEventLoopDelay({ resolution: 1 })
  stalls.enable()
  await play({ file }, ({ data: { n } }) => {
    const nowMs = performance.now()
    first ??= nowMs
    // Recorded times are whole milliseconds.
    const lateMs = nowMs - first - Math.floor((n * 1000) / PER_SECOND)
    earliestMs = Math.min(earliestMs, lateMs)
    lateMicroseconds.record(Math.max(1, Math.round(lateMs * 1000)))
  })
  stalls.disable()
  const late = (percent) => (lateMicroseconds.percentile(percent) / 1000).toFixed(1)
  console.log(`${PER_SECOND} messages a second for ${seconds} s, against their recorded times:`)
  const most = (lateMicroseconds.max / 1000).toFixed(1)
  console.log(`late by ms: p50 ${late(50)}, p99 ${late(99)}, most ${most}; earliest ${earliestMs.toFixed(1)}`)
  const longest = (stalls.max / 1e6).toFixed(1)
  console.log(
    `the process was suspended for ms: p99 ${(stalls.percentile(99) / 1e6).toFixed(1)}, longest ${longest}`,
  )
}
