import { describe, expect, test } from 'vitest'
import { Fifo } from '../../src/base/fifo.ts'

describe('the fifo', () => {
  test('gives back what it was given, in order, however it is filled and emptied', () => {
    const fifo = new Fifo<number>()
    let [next, expected] = [0, 0]
    for (let round = 1; round < 300; round++) {
      for (let nth = 0; nth < (round * 7) % 13; nth++) fifo.push(next++)
      for (let nth = 0; nth < (round * 5) % 11 && fifo.size > 0; nth++) expect(fifo.shift()).toBe(expected++)
      expect(fifo.size).toBe(next - expected)
    }
    while (fifo.size > 0) expect(fifo.shift()).toBe(expected++)
    expect(expected).toBe(next)
    expect(fifo.shift()).toBeUndefined()
  })
})
