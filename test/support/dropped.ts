import type { Ledger } from 'rivulet'
import { expect } from 'vitest'
import { expectLawful, type Scene } from './remote-scene.ts'

/** What a ledger says when nothing was dropped. */
export const NONE_DROPPED: Ledger['dropped'] = {
  malformed: 0,
  newerFormat: 0,
  tooLarge: 0,
  echo: 0,
  duplicate: 0,
  stale: 0,
  schema: 0,
  rateLimited: 0,
  notJoined: 0,
}

/** Asserts that frames were counted in one bucket, delivered nothing, and broke nothing. */
export function expectDropped(scene: Scene, bucket: keyof Ledger['dropped'], count = 1): void {
  const { ledger } = scene
  expect(ledger.dropped).toEqual({ ...NONE_DROPPED, [bucket]: count })
  expect(ledger.received).toBe(count)
  expect(scene.heard).toEqual([])
  expectLawful(ledger)
  scene.receive({ data: { still: 'alive' } })
  expect(scene.data).toEqual([{ still: 'alive' }])
}
