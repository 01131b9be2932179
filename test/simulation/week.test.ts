import { memoryBus } from '@rivulet/memory'
import { createHubIn } from 'rivulet/testing'
import { describe, expect, test } from 'vitest'
import { Machine } from './machine.ts'
import { VirtualTime } from './virtual-time.ts'

const HOUR_MS = 3_600_000
const HOURS = 7 * 24

/** Two hubs on machines of their own, on a bus without faults, in virtual time: every timer of a week runs. */
async function openPair(maxAgeMs: number) {
  const time = new VirtualTime()
  const [publishing, receiving] = [new Machine(time, 1), new Machine(time, 2)]
  const bus = memoryBus({ seed: 1, environment: new Machine(time, 3) })
  const pass = (ms: number) =>
    time.runUntil(
      time.nowMs + ms,
      () => {},
      () => false,
    )
  const open = (machine: Machine) => {
    const hub = createHubIn(machine, { transport: bus.transport() })
    return hub.stream<{ hour: number }>('weather', { maxAgeMs })
  }
  const [source, target] = [open(publishing), open(receiving)]
  const heard: number[] = []
  target.subscribe(({ data }) => heard.push(data.hour))
  await pass(1_000)
  return { publishing, receiving, source, target, heard, pass }
}

describe('a message an hour for a week', () => {
  test.each([
    ['arrives when nobody sleeps', 5_000, []],
    ['arrives when clocks are apart by 500 ppm and little lateness is allowed', 500, []],
    ['arrives when the publisher sleeps for ten minutes in each hour', 5_000, ['publishing']],
    ['arrives when the receiver does', 5_000, ['receiving']],
    ['arrives when both do, and little lateness is allowed', 500, ['publishing', 'receiving']],
  ] as const)('%s', async (_, maxAgeMs, sleepers) => {
    const pair = await openPair(maxAgeMs)
    pair.publishing.drift(250e-6)
    pair.receiving.drift(-250e-6)
    for (let hour = 0; hour < HOURS; hour++) {
      for (const sleeper of sleepers) pair[sleeper].sleep(HOUR_MS / 6)
      await pair.pass(HOUR_MS)
      pair.source.publish({ hour })
      await pair.pass(100)
    }
    expect(pair.heard).toHaveLength(HOURS)
    expect(pair.target.ledger()).toMatchObject({ delivered: HOURS, dropped: { stale: 0, duplicate: 0 } })
  })
})
