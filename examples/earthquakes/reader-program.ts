// A reader in a process of its own; see `reader-process.ts`, which starts it.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Hub, openHub } from 'rivulet'
import { openPipelineReader } from './pipeline-reader.ts'
import { openPlainReader } from './plain-reader.ts'
import { openQuakes, type Reader } from './reader.ts'
import type { Told } from './reader-process.ts'
import { openSlowReader } from './slow-reader.ts'

// How long the end of the stream may be on its way, once the publisher has left.
const END_TIMEOUT_MS = 3000

const [kind = '', name = '', pauseMs = ''] = process.argv.slice(2)
// Ctrl-C reaches every process of the terminal; the one that publishes decides what happens.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})

const hub = await openHub({ transport: process.env.RIVULET_URL ?? '', name })
hub.on('error', () => {})
process.on('disconnect', () => void hub.close())
let hasEnded = false
let interruptions = 0
hub.on('status', (status) => {
  if (status === 'down') interruptions += 1
})
const ended = new Promise<void>((resolve) => {
  openQuakes(hub).on('removed', () => {
    hasEnded = true
    resolve()
  })
})
const reader = await openReader(hub)
process.on('message', () => void finish())
tell({ joined: true })

function openReader(hub: Hub): Promise<Reader> {
  if (kind === 'plain') return openPlainReader(hub, (bigQuake) => tell({ bigQuake }))
  return kind === 'pipeline' ? openPipelineReader(hub) : openSlowReader(hub, Number(pauseMs))
}

function timesOf(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

async function finish(): Promise<void> {
  await Promise.race([ended, sleep(END_TIMEOUT_MS, undefined, { ref: false })])
  const ledger = await hub.close()
  const { label, finished, seen, story, strongest } = reader
  await finished
  const account = {
    label,
    ledger,
    seen: seen(),
    // Every gap in the publisher's numbers is a quake that got lost; while it was cut off it saw no numbers.
    lost: ledger.missed,
    knowsAllLost: hasEnded && interruptions === 0,
    story: `${story()}${interruptions === 0 ? '' : `; cut off ${timesOf(interruptions)}`}`,
    strongest: strongest?.(),
  }
  tell({ account })
  if (process.connected) process.disconnect()
}

function tell(told: Told): void {
  if (process.connected) process.send?.(told)
}
