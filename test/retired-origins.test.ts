import { describe, expect, test } from 'vitest'
import { RetiredOrigins } from '../src/retired-origins.ts'

function newRetired() {
  const clock = { nowMs: 0 }
  return { clock, retired: new RetiredOrigins(() => clock.nowMs) }
}

describe('the origin of a closed stream', () => {
  test('is remembered for as long as its frames may be delivered at all', () => {
    const { clock, retired } = newRetired()
    expect(retired.has('a')).toBe(false)
    retired.add('a', 5_000)
    clock.nowMs = 4_999
    expect(retired.has('a')).toBe(true)
    expect(retired.has('b')).toBe(false)
    clock.nowMs = 5_000
    expect(retired.has('a')).toBe(false)
  })

  test('is remembered for a minute when frames never grow too old', () => {
    const { clock, retired } = newRetired()
    retired.add('a', false)
    clock.nowMs = 59_999
    expect(retired.has('a')).toBe(true)
    clock.nowMs = 60_000
    expect(retired.has('a')).toBe(false)
  })

  test('does not stay in memory, although one in front of it lives longer', () => {
    const { clock, retired } = newRetired()
    retired.add('long', 1e9)
    for (let number = 0; number < 100_000; number++) {
      clock.nowMs += 100
      retired.add(String(number), 5_000)
      expect(retired.size).toBeLessThanOrEqual(128)
    }
    expect(retired.has('long')).toBe(true)
    expect(retired.has('99999')).toBe(true)
  })
})
