import assert from 'node:assert'
import { testTransport } from 'rivulet/testing'
import { describe, test } from 'vitest'
import { wrongCapabilities } from '../support/wrong-transports/capabilities.ts'
import { wrongDelivery } from '../support/wrong-transports/delivery.ts'
import { wrongEnding } from '../support/wrong-transports/ending.ts'
import { wrongJoining } from '../support/wrong-transports/joining.ts'
import { wrongOpening } from '../support/wrong-transports/opening.ts'
import { wrongWatching } from '../support/wrong-transports/watching.ts'
import { claims, hosted, type WrongTransport, wrong } from '../support/wrong-transports/wrong-transport.ts'

const wrongTransports = [
  ...wrongCapabilities,
  ...wrongOpening,
  ...wrongDelivery,
  ...wrongJoining,
  ...wrongEnding,
  ...wrongWatching,
]

describe.concurrent('the contract suite notices a transport that', () => {
  for (const transport of wrongTransports) {
    test(transport.flaw, async () => {
      const expected = [...transport.fails].sort()
      const failed = await failuresOf(transport.create)
      const unexpected = failed.filter((name) => !expected.includes(name))
      const inTime = await passingInTime(unexpected, transport.create)
      assert.deepStrictEqual(
        failed.filter((name) => !inTime.includes(name)),
        expected,
      )
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

test('a changed frame is reported by its first differing offset, not by two dumps', async () => {
  const flip = hosted((host) => ({
    receive: (topic, frame) => {
      const bytes = typeof frame === 'string' ? new TextEncoder().encode(frame) : frame
      const copy = bytes.slice()
      if (copy.length === 5000) copy[4321] = (copy[4321] as number) ^ 0xff
      host.receive(topic, copy)
    },
  }))
  const failures = await messagesOf(wrong('flips a byte', flip, []).create)
  const message = failures.get('hands frames over byte for byte') ?? ''
  assert.match(
    message,
    /^a frame of 5000 bytes arrives as it was sent: at offset 4321 there is 0x[0-9a-f]{2} instead of 0x[0-9a-f]{2}; 5000 bytes came, 5000 were expected$/,
  )
})

test('a frame that arrives cut is told by the offset of its end', async () => {
  const cut = hosted((host) => ({ receive: (topic, frame) => host.receive(topic, frame.slice(0, 40)) }))
  const failures = await messagesOf(wrong('cuts frames', cut, []).create)
  const largest = failures.get('takes frames up to maxFrameBytes and survives a larger one') ?? ''
  assert.match(largest, /arrives whole: at offset 40 there is the end instead of 0x28; 40 bytes came, /)
})

test('a transport that takes larger frames than it says is told to say Infinity', async () => {
  const modest = wrong('says 999', claims({ maxFrameBytes: () => 999 }), []).create
  const failures = await messagesOf(modest)
  assert.match(
    failures.get('takes frames up to maxFrameBytes and survives a larger one') ?? '',
    /say Infinity/,
  )
})

/** Runs single checks with a wait that a busy machine does not exceed, and returns the names of those that pass. */
async function passingInTime(names: string[], create: WrongTransport['create']): Promise<string[]> {
  if (names.length === 0) return []
  const failures = await messagesOf(create, { isRun: (name) => names.includes(name), waitMs: 60_000 })
  return names.filter((name) => !failures.has(name))
}

/** Gives the names of the tests of the suite that fail, sorted. */
async function failuresOf(create: WrongTransport['create']): Promise<string[]> {
  return [...(await messagesOf(create)).keys()].sort()
}

/** Runs the suite with a `test` that only records, and gives the message of each check that fails. */
async function messagesOf(
  create: WrongTransport['create'],
  { isRun = (_name: string): boolean => true, waitMs = 2000 } = {},
): Promise<Map<string, string>> {
  const failed = new Map<string, string>()
  const running: Promise<unknown>[] = []
  const record = (name: string, run: () => Promise<void>) => {
    if (isRun(name)) running.push(run().catch((error: Error) => failed.set(name, error.message)))
  }
  testTransport({ test: record, create: async () => create(), waitMs })
  await Promise.all(running)
  return failed
}
