import { type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import type { Topic } from 'rivulet'
import { describe, expect, test } from 'vitest'

const wrong: readonly [options: unknown, message: RegExp][] = [
  [{ seed: -1 }, /The memory option "seed" is a whole number from 0 to 4294967295, not -1/],
  [{ seed: 1.5 }, /not 1\.5/],
  [{ seed: 2 ** 32 }, /not 4294967296/],
  [{ seed: '1' }, /seed/],
  [{ loss: -0.1 }, /"loss" is a chance from 0 to 1, not -0\.1/],
  [{ loss: 1.01 }, /loss/],
  [{ loss: Number.NaN }, /loss.*NaN/],
  [{ loss: '0.5' }, /"loss" is a chance from 0 to 1, not "0\.5"/],
  [{ duplicate: 2 }, /"duplicate" is a chance from 0 to 1, not 2/],
  [{ reorder: true }, /"reorder" is a chance from 0 to 1, not true/],
  [{ delayMs: 5 }, /"delayMs" is a pair \[min, max\] in milliseconds, .*, not 5/],
  [{ delayMs: [1] }, /not \[1\]/],
  [{ delayMs: '15' }, /not "15"/],
  [{ delayMs: ['0', 1] }, /not \["0", 1\]/],
  [{ delayMs: [5, 1] }, /0 <= min <= max <= 60000, not \[5, 1\]/],
  [{ delayMs: [-1, 1] }, /delayMs/],
  [{ delayMs: [0, 60_001] }, /delayMs/],
  [{ echoes: 'yes' }, /"echoes" is true or false, not "yes"/],
  [{ maxFrameBytes: 0 }, /"maxFrameBytes" is a whole number from 1, or Infinity, not 0/],
  [{ maxFrameBytes: 1.5 }, /maxFrameBytes/],
  [{ environment: 1 }, /"environment" is an object with nowMs and setTimer, not a number/],
  [{ environment: null }, /not null/],
  [{ environment: { nowMs: () => 0 } }, /environment/],
  [{ environment: { setTimer: () => {} } }, /environment/],
  [{ los: 0.1 }, /There is no memory option "los"; there are seed, loss, /],
  [{ toString: 1 }, /There is no memory option "toString"/],
]

describe('memoryBus', () => {
  test.each(wrong)('refuses %o', (options, message) => {
    const make = () => memoryBus(options as MemoryBusOptions)
    const refusal = { code: 'INVALID_OPTIONS', message: expect.stringMatching(message) }
    expect(make).toThrow(expect.objectContaining(refusal))
  })

  test('takes the bounds of each option', () => {
    memoryBus({ seed: 0, loss: 0, duplicate: 0, delayMs: [0, 0], reorder: 0, maxFrameBytes: 1 })
    memoryBus({ seed: 2 ** 32 - 1, loss: 1, duplicate: 1, delayMs: [60_000, 60_000], reorder: 1 })
    memoryBus({ seed: undefined, loss: undefined, delayMs: undefined })
  })

  test('reads its options once', () => {
    const delayMs: [number, number] = [1, 1]
    const options = { delayMs }
    const bus = memoryBus(options)
    delayMs[1] = 9
    expect(bus.transport().capabilities.ordered).toBe(true)
  })

  const capabilities: readonly [MemoryBusOptions, object][] = [
    [{}, { scope: 'process', echoes: false, ordered: true, maxFrameBytes: 1_048_576 }],
    [{ maxFrameBytes: Infinity }, { maxFrameBytes: Infinity }],
    [
      { echoes: true, maxFrameBytes: 100 },
      { scope: 'process', echoes: true, ordered: true, maxFrameBytes: 100 },
    ],
    [{ loss: 0.5, duplicate: 0.5, delayMs: [5, 5] }, { ordered: true }],
    [{ delayMs: [4, 5] }, { ordered: false }],
    [{ reorder: 0.01 }, { ordered: false }],
  ]
  test.each(capabilities)('reports the capabilities of %o', (options, expected) => {
    const { maxFrameBytes, ...claims } = memoryBus(options).transport().capabilities
    expect({ ...claims, maxFrameBytes: maxFrameBytes('rivulet/default/a' as Topic) }).toMatchObject(expected)
  })
})
