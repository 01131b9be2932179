import { execFileSync } from 'node:child_process'

/**
 * Returns what the random input of properties is drawn from: the commit, so that one which passed passes again, while
 * the next tries other input. `PROPERTY_SEED=random` draws anew with each run, a number draws the same.
 */
export function propertySeed(): string {
  const { PROPERTY_SEED } = process.env
  if (PROPERTY_SEED === 'random') return String(Math.floor(Math.random() * 2 ** 31))
  if (PROPERTY_SEED !== undefined) return PROPERTY_SEED
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' })
  return String(Number.parseInt(commit.slice(0, 7), 16))
}
