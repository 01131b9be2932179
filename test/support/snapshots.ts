import type { Refusal } from '../../src/errors/refusal.ts'
import { snapshot } from '../../src/message/snapshot.ts'

/** The default limit on size. */
export const LIMIT = 4096

/** Takes a snapshot within the default limit. */
export function take(data: unknown, maxBytes = LIMIT): unknown {
  return snapshot(data, maxBytes)
}

/** Gives the code, path, reason and numbers of a refusal. */
export function refusalOf(data: unknown, maxBytes = LIMIT): Refusal['details'] & { code: string } {
  try {
    snapshot(data, maxBytes)
  } catch (thrown) {
    const { code, details } = thrown as Refusal
    return { code, ...details }
  }
  throw new Error('The data was accepted.')
}

/** Nests objects: the root is level 1. */
export function nested(levels: number): object {
  let data: object = {}
  for (let level = 1; level < levels; level++) data = { a: data }
  return data
}
