import { execFileSync } from 'node:child_process'

/**
 * Returns the seed of the properties' random input: that of the commit, so that one which passed passes again, while the
 * next tries other input. `PROPERTY_SEED=N` gives a seed, `PROPERTY_SEED=random` another one with each run, as a copy of the
 * source without its history does. Throws when it is neither.
 */
export function propertySeed(): string {
  const asked = process.env.PROPERTY_SEED ?? seedOfCommit()
  if (asked === 'random') return String(Math.floor(Math.random() * 2 ** 31))
  if (/^-?\d+$/.test(asked)) return asked
  throw new Error(`PROPERTY_SEED is a whole number or random, not ${asked}.`)
}

function seedOfCommit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' } as const
    return String(Number.parseInt(execFileSync('git', ['rev-parse', 'HEAD'], options).slice(0, 7), 16))
  } catch {
    return 'random'
  }
}
