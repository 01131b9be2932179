import type { StreamOptions } from 'rivulet'
import type { Chance } from './chance.ts'

/** A schema that refuses what is marked as bad, and marks what it has seen. */
const schema: NonNullable<StreamOptions['schema']> = {
  '~standard': {
    version: 1,
    vendor: 'simulation',
    validate(value) {
      if ((value as { isBad?: boolean }).isBad) return { issues: [{ message: 'it is bad' }] }
      return { value: { ...(value as object), isChecked: true } }
    },
  },
}

/** Draws the options of one stream; all hubs of a simulation open it with the same. */
export function drawStreamOptions(chance: Chance): StreamOptions {
  return {
    limit: chance.pick([
      undefined,
      undefined,
      false,
      { ratePerSecond: chance.between(2, 10), burst: chance.between(1, 12) },
      { ratePerSecond: chance.between(5, 50), burst: chance.between(5, 50), scope: 'process' },
    ]),
    maxAgeMs: chance.pick([undefined, undefined, undefined, 1_000, 2_000, 20_000, false]),
    schema: chance.isHit(0.2) ? schema : undefined,
    batch: chance.isHit(0.8),
    maxBytes: chance.pick([undefined, 300, 65_536]),
    maxWaiting: chance.pick([undefined, 0, 1, 3, 20]),
    ttlSeconds: chance.isHit(0.15) ? chance.between(1, 200) : undefined,
  }
}
