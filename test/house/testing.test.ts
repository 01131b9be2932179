import assert from 'node:assert'
import { testTransport } from 'rivulet/testing'
import { describe, test } from 'vitest'
import { wrongCapabilities } from '../support/wrong-transports/capabilities.ts'
import { wrongDelivery } from '../support/wrong-transports/delivery.ts'
import { wrongEnding } from '../support/wrong-transports/ending.ts'
import { wrongJoining } from '../support/wrong-transports/joining.ts'
import { wrongOpening } from '../support/wrong-transports/opening.ts'
import type { WrongTransport } from '../support/wrong-transports/wrong-transport.ts'

const wrongTransports = [
  ...wrongCapabilities,
  ...wrongOpening,
  ...wrongDelivery,
  ...wrongJoining,
  ...wrongEnding,
]

describe.concurrent('the contract suite notices a transport that', () => {
  for (const transport of wrongTransports) {
    test(transport.flaw, async () => {
      const expected = [...transport.fails].sort()
      let failed = await failuresOf(transport.create)
      if (failed.join() !== expected.join()) failed = await failsEachTime(failed, transport.create)
      assert.deepStrictEqual(failed, expected)
    })
  }
})

test('each check of the contract suite has a wrong transport that it fails', () => {
  const names: string[] = []
  testTransport({ test: (name) => names.push(name), create: () => Promise.reject(new Error('not run')) })
  const failing = new Set(wrongTransports.flatMap(({ fails }) => fails))
  assert.deepStrictEqual(
    names.filter((name) => !failing.has(name)),
    [],
  )
})

/** A flaw fails its checks each time; what a busy machine held up once does not fail again. */
async function failsEachTime(failed: string[], create: WrongTransport['create']): Promise<string[]> {
  const again = await failuresOf(create)
  return failed.filter((name) => again.includes(name))
}

/** Runs the suite with a `test` that only records, and gives the names of the tests that fail, sorted. */
async function failuresOf(create: WrongTransport['create']): Promise<string[]> {
  const failed: string[] = []
  const running: Promise<void>[] = []
  const record = (name: string, run: () => Promise<void>) => {
    running.push(run().catch(() => void failed.push(name)))
  }
  testTransport({ test: record, create: async () => create(), waitMs: 2000 })
  await Promise.all(running)
  return failed.sort()
}
