import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../../test/support/adapters/waits.ts'
import { Pace } from '../src/pace.ts'

describe('the pace', () => {
  test.each<[speed: number | 'max', steps: [atMs: number, nowMs: number, waitMs: number][]]>([
    [
      1,
      [
        [5000, 100, 0],
        [5040, 100, 40],
        [5040, 120, 20],
        [5040, 140, 0],
        [5100, 145, 55],
      ],
    ],
    [
      2,
      [
        [0, 0, 0],
        [100, 0, 50],
        [300, 60, 90],
      ],
    ],
    [
      0.5,
      [
        [0, 0, 0],
        [100, 0, 200],
      ],
    ],
    [
      'max',
      [
        [0, 7, 0],
        [1_000_000, 7, 0],
      ],
    ],
  ])('at speed %s counts from the first message, so a delay moves none of the others', (speed, steps) => {
    const pace = new Pace(speed)
    expect(steps.map(([atMs, nowMs]) => pace.waitMs(atMs, nowMs))).toEqual(
      steps.map(([, , waitMs]) => waitMs),
    )
  })

  test('never waits for a message that was recorded before the one before it', () => {
    const pace = new Pace(1)
    expect(pace.waitMs(1000, 0)).toBe(0)
    expect(pace.waitMs(400, 0)).toBe(0)
    expect(pace.waitMs(1010, 0)).toBe(10)
  })

  test('waits for a message that is due later than a timer can be set', async () => {
    const warnings: Error[] = []
    const warned = (warning: Error) => void warnings.push(warning)
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    const pace = new Pace(1)
    const leaving = new AbortController()
    await pace.until(0, leaving.signal)
    const waiting = rejection(pace.until(2 ** 32, leaving.signal))
    await new Promise(setImmediate)
    leaving.abort()
    expect((await waiting).name).toBe('AbortError')
    expect(warnings).toEqual([])
  })

  test('begins no pass once it is given up', async () => {
    expect((await rejection(new Pace('max').restart(AbortSignal.abort()))).name).toBe('AbortError')
  })
})
