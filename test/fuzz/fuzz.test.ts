import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CORPUS, fuzz, ROOT, TARGET_NAMES } from './fuzzing.ts'
import { PLANTS } from './plants.ts'

const RUNS = 3_000
/** A mistake has to be found with one of so many inputs. */
const MOST_RUNS = 500_000
const MAX_CORPUS_BYTES = 8_192
// The same inputs each time: to run again after a failure would find the same.
const AGAIN = { retry: 0 }
const SEED = 1

let folder: string
beforeAll(() => {
  // Below the repository, where the bundles find the packages that they need.
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  folder = mkdtempSync(join(ROOT, '.cache/fuzz-test-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('the fuzz targets', () => {
  test('are a dozen, each with small seeds and a mistake to find', () => {
    expect(TARGET_NAMES.length).toBeGreaterThanOrEqual(12)
    expect(readdirSync(CORPUS).sort()).toEqual(TARGET_NAMES)
    expect(Object.keys(PLANTS).sort()).toEqual(TARGET_NAMES)
    for (const target of TARGET_NAMES) {
      const seeds = readdirSync(join(CORPUS, target)).map((file) => readFileSync(join(CORPUS, target, file)))
      const bytes = seeds.reduce((sum, seed) => sum + seed.length, 0)
      expect(bytes, target).toBeGreaterThan(0)
      expect(bytes, target).toBeLessThanOrEqual(MAX_CORPUS_BYTES)
    }
  })

  test.each(TARGET_NAMES)('keep their laws whatever the input: %s', AGAIN, async (target) => {
    const { runs, coverage, isFound, output } = await fuzz(target, join(folder, target), {
      runs: RUNS,
      seed: SEED,
    })
    expect(isFound, output).toBe(false)
    expect(runs, output).toBeGreaterThanOrEqual(RUNS)
    // Seeds reach the library, and what reaches more of it is kept.
    expect(coverage.first, output).toBeGreaterThan(20)
    expect(coverage.last).toBeGreaterThanOrEqual(coverage.first)
    expect(readdirSync(join(folder, target, 'found')).length, output).toBeGreaterThan(0)
  })

  test.each(TARGET_NAMES)('find a mistake in the library: %s', AGAIN, async (target) => {
    const home = join(folder, `${target}-planted`)
    const plant = PLANTS[target]
    const { isFound, output } = await fuzz(target, home, { runs: MOST_RUNS, seed: SEED }, { plant })
    expect(isFound, output).toBe(true)
    const [, stacks] = output.split('The input once more, with stacks:')
    expect(stacks, output).toMatch(/AssertionError.*\n +at /s)
    expect(readdirSync(home).some((file) => file.startsWith('crash-'))).toBe(true)
  })

  test('do not take a mistake that fits nowhere', async () => {
    const plant = { file: '/src/message/topic.ts', from: 'no such text', to: '' }
    await expect(fuzz('topic', join(folder, 'nowhere'), { runs: 1 }, { plant })).rejects.toMatchObject({
      message: expect.stringContaining('no such text'),
    })
  })

  test('reach more of the library by what they find than by a single seed', AGAIN, async () => {
    const seeds = join(folder, 'one-seed')
    cpSync(join(CORPUS, 'frame/seed-1'), join(seeds, 'seed-1'))
    const home = join(folder, 'growing')
    const { coverage, output } = await fuzz('frame', home, { runs: RUNS, seed: SEED }, { seeds })
    expect(coverage.last, output).toBeGreaterThan(coverage.first + 10)
  })
})

describe('npm run fuzz', () => {
  const command = (...options: string[]) =>
    execa(
      process.execPath,
      ['--import', 'tsx', '--conditions=@rivulet/source', 'test/fuzz/command.ts', ...options],
      { cwd: ROOT, reject: false },
    )

  test('says how many inputs were run, and what came of them', async () => {
    const { stdout, exitCode } = await command('--target', 'topic', '--runs', '200')
    expect(stdout).toMatch(
      /^topic: \d+ inputs, no law is broken; branches: \d+ by the seeds, \d+ in the end\.$/,
    )
    expect(exitCode).toBe(0)
  })

  test('refuses a target that there is not, and what is no number', async () => {
    const strange = await command('--target', 'nothing')
    expect(strange.stderr).toContain('There are canonical-json, ')
    expect(strange.exitCode).toBe(1)
    const { stderr } = await command('--runs', 'many')
    expect(stderr).toContain('It is a whole number from 1.')
  })
})
