import { type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import type { Topic } from 'rivulet'
import { describe, expect, test } from 'vitest'

const wrong: readonly [options: unknown, error: typeof Error, message: RegExp][] = [
  [{ seed: -1 }, RangeError, /seed is an integer from 0 to 4294967295, not -1/],
  [{ seed: 1.5 }, RangeError, /not 1\.5/],
  [{ seed: 2 ** 32 }, RangeError, /not 4294967296/],
  [{ seed: '1' }, RangeError, /seed/],
  [{ loss: -0.1 }, RangeError, /loss is a chance from 0 to 1, not -0\.1/],
  [{ loss: 1.01 }, RangeError, /loss/],
  [{ loss: Number.NaN }, RangeError, /loss.*NaN/],
  [{ loss: '0.5' }, RangeError, /loss is a chance from 0 to 1, not 0\.5/],
  [{ duplicate: 2 }, RangeError, /duplicate is a chance from 0 to 1, not 2/],
  [{ reorder: true }, RangeError, /reorder is a chance from 0 to 1, not true/],
  [{ delayMs: 5 }, TypeError, /delayMs is a pair \[min, max\] in milliseconds, not 5/],
  [{ delayMs: [1] }, TypeError, /not \[1\]/],
  [{ delayMs: '15' }, TypeError, /not 15/],
  [{ delayMs: ['0', 1] }, RangeError, /not \[0, 1\]/],
  [{ delayMs: [5, 1] }, RangeError, /0 <= min <= max <= 60000, not \[5, 1\]/],
  [{ delayMs: [-1, 1] }, RangeError, /delayMs/],
  [{ delayMs: [0, 60_001] }, RangeError, /delayMs/],
  [{ echoes: 'yes' }, TypeError, /echoes is true or false, not yes/],
  [{ maxFrameBytes: 0 }, RangeError, /maxFrameBytes is an integer from 1, or Infinity, not 0/],
  [{ maxFrameBytes: 1.5 }, RangeError, /maxFrameBytes/],
  [{ environment: 1 }, TypeError, /environment is an object with nowMs and setTimer, not 1/],
  [{ environment: null }, TypeError, /not null/],
  [{ environment: { nowMs: () => 0 } }, TypeError, /environment/],
  [{ environment: { setTimer: () => {} } }, TypeError, /environment/],
  [{ los: 0.1 }, TypeError, /Unknown option "los"; there are seed, loss, /],
  [{ toString: 1 }, TypeError, /Unknown option "toString"/],
]

describe('memoryBus', () => {
  test.each(wrong)('refuses %o', (options, error, message) => {
    const make = () => memoryBus(options as MemoryBusOptions)
    expect(make).toThrow(error)
    expect(make).toThrow(message)
  })

  test('takes the bounds of each option', () => {
    memoryBus({ seed: 0, loss: 0, duplicate: 0, delayMs: [0, 0], reorder: 0, maxFrameBytes: 1 })
    memoryBus({ seed: 2 ** 32 - 1, loss: 1, duplicate: 1, delayMs: [60_000, 60_000], reorder: 1 })
    memoryBus({ seed: undefined, loss: undefined, delayMs: undefined })
  })

  test('does not look at its options again', () => {
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
  test.each(capabilities)('with %o tells what it can do', (options, expected) => {
    const { maxFrameBytes, ...claims } = memoryBus(options).transport().capabilities
    expect({ ...claims, maxFrameBytes: maxFrameBytes('rivulet/default/a' as Topic) }).toMatchObject(expected)
  })
})
